"""Draws the pictures in the cards of the shipped models anew, as training does.

Run from the repository's root: .venv/bin/python docs/model_pictures.py
"""

from __future__ import annotations

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.generation.model import SHIPPED, ModelShelf
from services.training.generator.picture import write_picture

# Of which kinds training images show wounds.
SCRATCHED: dict[str, tuple[str, ...]] = {"fluo-nuclei": (), "phase-scratch": ("wound",)}


def main() -> None:
    """Write them."""
    for name, scratched in SCRATCHED.items():
        model = ModelShelf(SHIPPED).get(name)
        write_picture(model.folder, model.description, OnnxCpuEngine(model.weights()), scratched)


if __name__ == "__main__":
    main()
