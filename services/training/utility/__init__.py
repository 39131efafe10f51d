"""Whether generated images are of use: segmenters trained on them, tested on real ones."""
