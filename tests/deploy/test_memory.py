"""Admission, manifests and docs share one arithmetic of memory."""

from __future__ import annotations

from biosynth.contract import MIB

from services.common.imaging.formats.limits import ImageLimits
from services.common.serving.config import ServerConfig
from services.common.serving.memory import COSTS, Cost, for_computations
from tests.deploy.rendering import DEPLOY, of_kind, overlay
from tests.support.manifests import quantity

OPERATIONS = {
    "segmentation": ("segment",),
    "reference": ("render",),
    "generation": ("generate",),
    "evaluation": ("compare-pair", "compare-sets"),
}


def left(limit_bytes: int) -> int:
    return for_computations(limit_bytes, ServerConfig.max_in_flight_bytes)


def test_the_largest_image_fits_under_the_limit_of_each_service() -> None:
    deployments = of_kind(overlay("production"), "Deployment")
    for service, operations in OPERATIONS.items():
        container = deployments[service]["spec"]["template"]["spec"]["containers"][0]
        has = left(quantity(container["resources"]["limits"]["memory"]))
        for operation in operations:
            assert COSTS[operation].of(ImageLimits().max_pixels) <= has, (service, operation)


def test_the_docs_show_what_is_reckoned() -> None:
    text = (DEPLOY.parent / "docs" / "settings.md").read_text()
    for operation, cost in COSTS.items():
        largest = ", ".join(str(_megapixels(cost, gib)) for gib in (2, 4, 8))
        assert f"| {operation} | {cost.base // MIB} MiB + {cost.a_pixel} a pixel | {largest} |" in text


def _megapixels(cost: Cost, limit_gib: int) -> int:
    pixels = (left(limit_gib * 1024 * MIB) - cost.base) // cost.a_pixel
    return min(pixels, ImageLimits().max_pixels) // 10**6
