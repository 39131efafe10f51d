"""Images ordered by the hundred: which ones, of which masks, in which split, and in which files."""
