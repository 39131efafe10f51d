"""Datasets: pairs of reference and image, and the recipes that they are built by."""
