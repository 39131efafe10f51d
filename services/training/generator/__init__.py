"""Training of generators: what a step does, its losses and data, and how the outcome is published."""
