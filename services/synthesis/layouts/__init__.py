"""Where the files of samples go, by the name that is asked for."""

from __future__ import annotations

from services.synthesis.layouts.coco import Coco
from services.synthesis.layouts.layout import Layout
from services.synthesis.layouts.paired import cellpose, pairs, stardist
from services.synthesis.layouts.webdataset import WebDataset
from services.synthesis.layouts.yolo import Yolo


def layouts() -> dict[str, Layout]:
    """All of them, by name; the first is the default."""
    return {
        "pairs": pairs(),
        "stardist": stardist(),
        "cellpose": cellpose(),
        "coco": Coco(),
        "yolo": Yolo(),
        "webdataset": WebDataset(),
    }
