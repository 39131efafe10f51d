"""What can be learnt of PNG, JPEG and TIFF files without decoding them: size, kind, and whether they are whole."""
