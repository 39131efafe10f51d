"""Whether anything should be made of a segmentation."""

from __future__ import annotations

from services.common.imaging.labels import Segmentation
from services.segmentation.choice import Choice
from services.segmentation.objects import INSTANCES


def unsuitable(choice: Choice, found: Segmentation) -> tuple[str, ...]:
    """Why nothing should be made of what was found, in sentences; () where nothing that is known speaks against it.

    That no object was found, and in what the image is unlike those that the segmenter was made for: docs/method.md,
    What auto chooses, has the rule and how often it is wrong. A wound alone is something.
    """
    sought = [part for part in INSTANCES if part in found.parts]
    wound = found.wound is not None and bool(found.wound.any()) and not found.wound.all()
    if not sought or wound or any(getattr(found, part).any() for part in sought):
        return choice.warnings
    return (f"Nothing was found: no {' and no '.join(sought)}.", *choice.warnings)
