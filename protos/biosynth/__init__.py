"""Client for the biosynth services."""
