"""What every service shares: errors, settings, images, the store and the server."""

import os

# OpenCV reads this once, when it is first imported; by default it decodes up to a gigapixel: 5.2 GB of memory for a
# PNG of 109 KB. Headers are checked before decoding (services/common/imaging/images.py); this is a second guard.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
