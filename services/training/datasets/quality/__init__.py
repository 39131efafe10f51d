"""Whether images are fit to train on: figures of each, limits, and what goes over them. Pure functions."""
