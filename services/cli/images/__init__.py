"""What a lab's image files hold, and one image of that as the services take it (docs/images.md)."""
