"""The documentation in a package: the model's card, and how its network is used outside of biosynth."""

from __future__ import annotations

from services.cli.bioimageio.description import INPUT, OUTPUT
from services.generation.conditions import plane_meanings
from services.generation.model import DESCRIPTION, ModelDescription, StoredModel
from services.generation.patches import PATCH_PX
from services.reference.schema import Schema


def readme(stored: StoredModel, schema: Schema) -> str:
    """Markdown, with the section on validation that BioImage.IO asks for."""
    model = stored.description
    card = stored.card().strip() or f"# {model.name} {model.version}\n\n{model.description}"
    return (
        "\n\n".join([card, "## Use of the network", _input(schema), _sizes(model), _output(model), _VALIDATION]) + "\n"
    )


def _input(schema: Schema) -> str:
    planes = plane_meanings([level.name for level in schema.levels])
    lines = [
        f"It draws the image of a reference, a map of level indices under the schema `{schema.name}`. Its input",
        f"`planes`, (1, {len(planes)}, y, x) float32, is made of the reference and of a look, which says what",
        "references cannot:",
        "",
        "| channel | name | holds |",
        "|---|---|---|",
        *(f"| {index} | {name} | {meaning} |" for index, (name, meaning) in enumerate(planes.items())),
        "",
        "An object is an 8-connected piece of interior with the boundary pixels nearest to it. Which levels are which",
        f"is in `{DESCRIPTION}` under `roles`; looks of training images are there under `records`, objects as pairs of",
        "mean and deviation.",
    ]
    return "\n".join(lines)


def _sizes(model: ModelDescription) -> str:
    if model.halo_px is None:
        return (
            f"Its input is {PATCH_PX} px a side. Normalisation looks at all of it, so larger images are put together "
            "of patches, which do not fit each other exactly."
        )
    return (
        f"Sides of its input are multiples of {model.stride_px} px. Tiles that are read with {model.halo_px} px around "
        f"them, and begin at multiples of {model.stride_px} px, give the image of the whole."
    )


def _output(model: ModelDescription) -> str:
    return (
        "Its output `image`, (1, 1, y, x) float32, is brightness above the background in units of the contrast. "
        "The 8-bit image is `255 (background + contrast image + noise N(0, 1))`, rounded and clipped. `biosynth "
        f"generate REFERENCE --model {model.name}/{model.version}` does all this for images of any size, and holds "
        "background and contrast to those of the look."
    )


_VALIDATION = (
    f"## Validation\n\n`{INPUT}` holds the planes of a reference drawn by rule, in a look drawn by seed; `{OUTPUT}` is "
    "what the network makes of them. How near images come to real ones is judged on fields that trained nothing: "
    "generate them from their true labels, and `biosynth evaluate` holds them to the real ones."
)
