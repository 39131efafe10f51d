"""A tiny dataset of fields that are drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from skimage.measure import label

from services.generation.roles import LevelRoles
from services.training.datasets.dataset import DatasetManifest, Entry, write_manifest
from tests.unit.generation.fakes import disks


def write_disk_fields(folder: Path) -> None:
    """Four fields of bright disks, three to train on, under `nuclei3`; one has no object."""
    random = np.random.default_rng(0)
    entries = []
    for number in range(4):
        reference = disks(72, 88) if number != 1 else np.zeros((40, 24), np.uint8)
        image = 30 + 100 * (reference > 0) + random.normal(0, 4, reference.shape)
        entry = Entry(
            f"s-{number}",
            "val" if number == 3 else "train",
            f"g{number}",
            "s",
            f"{number}.r.png",
            f"{number}.i.png",
            labels={"nuclei": f"{number}.l.png"},
        )
        cv2.imwrite(str(folder / entry.reference), reference)
        cv2.imwrite(str(folder / entry.labels["nuclei"]), label(reference > 0).astype(np.uint16))
        cv2.imwrite(str(folder / entry.image), np.clip(image, 0, 255).astype(np.uint8))
        entries.append(entry)
    roles = LevelRoles((0,), (1,), (2,))
    write_manifest(folder, DatasetManifest("disks", "nuclei3", 1, roles, tuple(entries), ("s: drawn by this test",)))
