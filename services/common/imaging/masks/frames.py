"""Which plane of a stack of masks is meant."""

from __future__ import annotations

from services.common.errors import InvalidImage


def choose_frame(frames: int, frame: int | None) -> int:
    """The index of the frame to take: `frame`, from 0, or the only one where None.

    Raises InvalidImage where there are several and none is chosen, or where there is no such frame.

    >>> choose_frame(1, None), choose_frame(3, 2)
    (0, 2)
    """
    if frame is None and frames > 1:
        raise InvalidImage(
            f"expected masks of one plane; got a stack of {frames} planes; choose one with --time 0 to {frames - 1}, "
            "or save one file a plane"
        )
    chosen = frame or 0
    if not 0 <= chosen < frames:
        planes = "1 plane" if frames == 1 else f"{frames} planes"
        raise InvalidImage(f"expected --time from 0 to {frames - 1}, for the file holds {planes}; got {chosen}")
    return chosen
