"""What runs a network, and on how many cores."""
