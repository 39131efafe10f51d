"""Where objects live, behind one protocol (a folder, or a bucket of an S3 server), and results computed once."""
