"""Masks as other programs save them, read into segmentations: one reader for every command."""
