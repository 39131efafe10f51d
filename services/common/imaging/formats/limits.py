"""How much of an image is accepted, checked on headers before anything is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.common.errors import ImageTooLarge, InvalidImage


@dataclass(frozen=True)
class ImageLimits:
    """The largest file, image and number of planes, and the most memory that decoded pixels may take.

    A file may hold an image of `max_pixels` pixels in one channel of 16 bit, whether it is compressed or not.
    `max_decoded_bytes` counts every sample of one page: an RGB page of 16 bit takes six bytes a pixel.
    """

    max_bytes: int = 256 * 1024**2
    max_pixels: int = 100_000_000
    max_pages: int = 64
    max_decoded_bytes: int = 400_000_000

    def check_file(self, data: bytes) -> None:
        """Raise InvalidImage for an empty file and ImageTooLarge for one with too many bytes."""
        if not data:
            raise InvalidImage("expected a PNG, TIFF or JPEG file, got 0 bytes")
        if len(data) > self.max_bytes:
            raise ImageTooLarge(
                f"expected a file of at most {self.max_bytes} bytes, got {len(data)}; crop the image, or bin it",
                got=len(data),
                limit=self.max_bytes,
            )

    def check_size(self, height: int, width: int, bytes_per_pixel: float) -> None:
        """Raise InvalidImage for a side of 0 and ImageTooLarge for too many pixels or decoded bytes."""
        if height < 1 or width < 1:
            raise InvalidImage(f"expected an image of at least 1 x 1 pixel, got {height} x {width}")
        if height * width > self.max_pixels:
            by = math.ceil(math.sqrt(height * width / self.max_pixels))
            raise ImageTooLarge(
                f"expected at most {self.max_pixels} pixels, got {height} x {width} = {height * width}; "
                f"crop it, or bin it by {by} to {-(-height // by)} x {-(-width // by)}",
                got=height * width,
                limit=self.max_pixels,
            )
        if (size := int(height * width * bytes_per_pixel)) > self.max_decoded_bytes:
            raise ImageTooLarge(
                f"expected at most {self.max_decoded_bytes} bytes when decoded, got {size} "
                f"({height} x {width} pixels of {bytes_per_pixel:g} bytes); save it as one grey channel",
                got=size,
                limit=self.max_decoded_bytes,
            )

    def check_pages(self, pages: int) -> None:
        """Raise ImageTooLarge for too many pages."""
        if pages > self.max_pages:
            raise ImageTooLarge(
                f"expected at most {self.max_pages} pages, got more; extract the ones of interest", limit=self.max_pages
            )
