"""A small network that judges whether pixels are real, for the evaluation."""
