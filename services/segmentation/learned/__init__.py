"""Segmentation by a trained network, without torch."""
