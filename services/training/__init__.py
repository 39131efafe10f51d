"""Training of models: one loop for whatever is trained, and a room for each kind of model."""
