"""The segmentation service's process."""

import os

from services.common.serving.runtime import alone, serve
from services.segmentation.config import SegmentationConfig
from services.segmentation.servicer import segmentation_service

if __name__ == "__main__":
    serve(
        os.environ,
        lambda runtime: alone(segmentation_service(runtime, SegmentationConfig.from_env(os.environ).segmenters())),
    )
