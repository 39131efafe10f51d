"""What every service shares: errors, words, files, the store and the server."""

import os

# OpenCV reads this once, when it is first imported, and else decodes up to a gigapixel: 5.2 GB of memory for a PNG of
# 109 KB. Headers are checked before (services/common/imaging/images.py); this is the second lock on the same door.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
