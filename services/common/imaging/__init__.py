"""Images and label maps as arrays: reading them safely, writing them reproducibly, cutting them into tiles."""
