"""Where objects live: a folder or a bucket of an S3 server, behind one protocol."""
