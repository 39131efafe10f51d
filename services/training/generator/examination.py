"""A generator in training, looked at now and then; its best averaged weights are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.labels import Labels
from services.generation.appearance import Look, measure
from services.generation.generate import generate_as
from services.generation.model import ModelDescription
from services.generation.roles import find_objects
from services.generation.tilings import usual_tiling
from services.training.datasets.dataset import DatasetManifest, Entry, read_pair
from services.training.engine import NetworkEngine
from services.training.generator.crops import check_levels
from services.training.generator.fidelity import JUDGES, judged
from services.training.generator.looks import light_of
from services.training.generator.trainer import Trainer
from services.training.samples import spread, window_on, write_samples

_FIELDS = 6


@dataclass(frozen=True, eq=False)
class _Example:
    """A window of a held-out field, with the look of its own image."""

    entry: Entry
    image: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    objects: Labels
    look: Look


class Examination:
    """Draws a few held-out fields beside their real images, and keeps the weights that show labels most truly.

    work: where samples go. keeps_best: whether, in the second half of the training, a fixed segmenter judges how well
    the labels are seen in generated images: the nearer that is to real ones, the better. Only fields that people
    labelled are judged, under schemas that have a judge. Raises InvalidArgument for a field that cannot be read.
    """

    def __init__(self, dataset: Path, manifest: DatasetManifest, work: Path, keeps_best: bool) -> None:
        self._manifest, self._work, self._keeps_best = manifest, work, keeps_best
        self._examples = [self._example(dataset, entry) for entry in spread(manifest.needed("val"), _FIELDS)]
        self._judged = [not example.entry.labelled_by for example in self._examples]
        self._real: float | None = None

    @property
    def judges(self) -> bool:
        """Whether the best weights are looked for."""
        return self._keeps_best and self._manifest.schema_name in JUDGES and any(self._judged)

    def __call__(self, trainer: Trainer) -> None:
        """Draw them as the averaged network does now, and judge them."""
        made = [self._made(trainer, example) for example in self._examples]
        rows = []
        for example, image in zip(self._examples, made, strict=True):
            grey = example.reference * np.uint8(255 // max(1, self._manifest.roles.count - 1))
            limits = brightness_range(example.image)
            rows.append([grey, stretch(example.image, limits), stretch(image, limits)])
        write_samples(self._work, trainer.step, ("reference", "real", "generated"), rows)
        if self.judges and 2 * trainer.step >= trainer.steps:
            self._judge(trainer, made)

    def _judge(self, trainer: Trainer, made: list[NDArray[np.uint8]]) -> None:
        if self._real is None:
            self._real = self._seen([example.image for example in self._examples])
        generated = self._seen(made)
        gap, best = abs(generated - self._real), trainer.notes.get("best")
        if best is None or gap <= best["gap"]:  # of equals the one that was trained longer
            trainer.best.load_state_dict(trainer.average.state_dict())
            trainer.notes["best"] = {"step": trainer.step, "gap": gap, "generated": generated, "real": self._real}

    def _seen(self, images: list[NDArray[np.uint8]]) -> float:
        """Mean AP of the judge on images of the examples that people labelled."""
        scores = [
            judged(image, example.objects, *JUDGES[self._manifest.schema_name])[1]
            for image, example, counts in zip(images, self._examples, self._judged, strict=True)
            if counts
        ]
        return float(np.mean(scores))

    def _made(self, trainer: Trainer, example: _Example) -> NDArray[np.uint8]:
        model = _undescribed(self._manifest, trainer)
        generator = np.random.default_rng(list(example.entry.id.encode()))  # the same noise each time
        engine = NetworkEngine(trainer.average)
        tiling = usual_tiling(model)
        return generate_as(example.reference, example.objects, example.look, model, engine, generator, tiling)

    def _example(self, dataset: Path, entry: Entry) -> _Example:
        image, reference = read_pair(dataset, entry)
        roles = self._manifest.roles
        check_levels(entry, reference, roles)
        at = window_on(np.isin(reference, roles.interior))
        image, reference = image[at], reference[at]
        objects = find_objects(reference, roles)
        look = measure(image, reference, objects, roles)
        return _Example(entry, np.rint(image * 255.0).astype(np.uint8), reference, objects, look)


def _undescribed(manifest: DatasetManifest, trainer: Trainer) -> ModelDescription:
    """What generation needs to know of a network that is in no file."""
    return ModelDescription(
        name="in training",
        version="",
        description="",
        schema_name=manifest.schema_name,
        schema_version=manifest.schema_version,
        roles=manifest.roles,
        halo_px=trainer.average.config.halo_px,
        stride_px=trainer.average.config.stride_px,
        parameters=0,
        sha256="",
        safetensors_sha256="",
        training={},
        records=(),
        light=light_of(manifest.schema_name),
    )
