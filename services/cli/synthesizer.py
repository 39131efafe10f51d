"""Makes one image of an order: its truth from the mask, the reference of it, and the image of that."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biosynth.errors import BiosynthCallError
from biosynth.v1.generation_pb2 import GenerateRequest, GenerateResponse, Model
from biosynth.v1.reference_pb2 import RenderRequest, RenderResponse
from biosynth.v1.types_pb2 import Appearance

from services.cli.images.wish import Wish as ImageWish
from services.cli.likeness import imitate
from services.cli.model_names import ModelName
from services.cli.naming import naming
from services.cli.places import Place
from services.cli.run_record import generation_record
from services.cli.session import Session
from services.common.errors import InvalidArgument, NoFittingModel
from services.common.imaging.ometiff import encode_segmentation
from services.pipeline.catalogue import catalogue_of
from services.pipeline.plan import OPTIONAL_PARTS, Wish, wished_models
from services.segmentation.wound_zone import wound_zone
from services.synthesis.augmentation import augmented, draw_augmentation
from services.synthesis.order import Ordered
from services.synthesis.sample import Sample
from services.synthesis.truth import Truth, read_truth

LEAST_SHEET = 0.5  # of the ground beside a wound, covered by cells


@dataclass(frozen=True)
class Drawn:
    """A model, and what it draws: part: `cells` or `nuclei`; has_wound: whether the wound beside them."""

    model: Model
    part: str
    has_wound: bool


def drawn_by(session: Session, asked: ModelName, zone: bool) -> Drawn:
    """The model that is asked for; zone: it must draw wounds.

    Raises UnknownName, NoFittingModel where a mask alone is not enough for it, and InvalidArgument.
    """
    name, version = asked
    client = session.client
    models = client.list_models()
    catalogue = catalogue_of(client.list_segmenters(), client.list_schemas(), models)
    [facts] = wished_models(catalogue, Wish(model=name, model_version=version))
    parts = catalogue.schemas[facts.schema]
    objects = [part for part in parts if part not in OPTIONAL_PARTS]
    if len(objects) != 1:
        raise NoFittingModel(
            f"expected a model that draws one kind of objects, for a mask has one; {name} needs {', '.join(parts)}"
        )
    if zone and "wound" not in parts:
        raise InvalidArgument(f"expected --wound-zone for a model that draws wounds; {name} draws none")
    [model] = [model for model in models if (model.name, model.version) == (facts.name, facts.version)]
    return Drawn(model, objects[0], "wound" in parts)


@dataclass
class Looks:
    """The looks to imitate, in turn: each is measured when it is first asked for. Safe between threads."""

    files: Sequence[Path]
    wish: ImageWish
    model: Model
    session: Session
    _found: dict[Path, GenerateRequest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, request: GenerateRequest, number: int) -> str:
        """Put that of this image into the request; returns the name of its file, "" for none."""
        if not self.files:
            return ""
        path = self.files[number % len(self.files)]
        with self._lock:
            if path not in self._found:
                self._found[path] = self._measured(path)
        request.MergeFrom(self._found[path])
        return path.name

    def _measured(self, path: Path) -> GenerateRequest:
        told = GenerateRequest(model=self.model.name, model_version=self.model.version)
        with naming(path):
            imitate(told, path, None, self.wish, self.session)
        return told


@dataclass(frozen=True)
class Synthesizer:
    """Makes images; several threads may. zone: the wound is found between the cells, where a mask has none.

    frame: of masks that are stacks, from 0.
    """

    session: Session
    masks: Place
    drawn: Drawn
    looks: Looks
    appearance: Appearance
    zone: bool
    frame: int | None = None

    def make(self, ordered: Ordered) -> Sample:
        """Make one. Raises what reading the mask and the services' calls raise, naming the mask."""
        try:
            return self._make(ordered)
        except BiosynthCallError as error:
            error.message = f"image {ordered.name} of {self.masks}/{ordered.mask.name}: {error.message}"
            raise

    def _make(self, ordered: Ordered) -> Sample:
        truth, done = self._truth(ordered)
        reference = self._reference(truth)
        request = GenerateRequest(
            model=self.drawn.model.name,
            model_version=self.drawn.model.version,
            seed=ordered.seed,
            appearance=self.appearance,
            reference=self.session.content(reference),
        )
        like = self.looks.set(request, ordered.number)
        made: GenerateResponse = self.session.ask(self.session.client.generation.Generate, request)
        record = generation_record(made, ordered.seed)
        line = {
            "name": ordered.name,
            "split": ordered.split,
            "source": {"file": ordered.mask.name, "sha256": ordered.mask.sha256, "group": ordered.mask.named_group},
            "augmentation": done,
            "height_px": truth.labels.shape[0],
            "width_px": truth.labels.shape[1],
            "objects": truth.objects,
            "like": like or None,
            **record,
            "warnings": [*record["warnings"], *(sparse_beside(truth) if self.zone else ()), *unseen(truth)],
        }
        return Sample(ordered.name, ordered.split, made.image.file, truth.labels, reference, line)

    def _truth(self, ordered: Ordered) -> tuple[Truth, dict[str, Any] | None]:
        name, done = ordered.mask.name, None
        with naming(f"{self.masks}/{name}"):
            truth, _ = read_truth(self.masks.read_input(name), self.drawn.part, self.frame)
            if not self.drawn.has_wound:
                truth = Truth(truth.labels)
            if ordered.round:
                truth, done = augmented(truth, draw_augmentation(ordered.seed))
            if self.zone and truth.wound is None:
                truth = Truth(truth.labels, wound_zone(truth.labels))
        return truth, done

    def _reference(self, truth: Truth) -> bytes:
        absent = ["wound"] if self.drawn.has_wound and truth.wound is None else []
        request = RenderRequest(
            segmentation=self.session.content(encode_segmentation(truth.segmentation(self.drawn.part))),
            schema_name=self.drawn.model.schema_name,
            absent_parts=absent,
        )
        response: RenderResponse = self.session.ask(self.session.client.reference.Render, request)
        return response.reference.file


def unseen(truth: Truth) -> tuple[str, ...]:
    """Whether the image may not show all that the truth says: models draw no objects of a single pixel's width."""
    if not (slivers := truth.slivers):
        return ()
    return (
        f"{slivers} of {truth.objects} objects are one pixel wide, as at a crop's border, and hardly to be seen in the "
        "image",
    )


def sparse_beside(truth: Truth) -> tuple[str, ...]:
    """Whether a wound that was found between cells is doubtful: with no sheet beside it, any ground would be one."""
    if truth.wound is None or not truth.wound.any():
        return ()
    covered = float((truth.labels[~truth.wound] > 0).mean()) if not truth.wound.all() else 0.0
    if covered >= LEAST_SHEET:
        return ()
    return (f"cells cover {covered:.0%} of what the wound leaves; --wound-zone is for sheets of cells with a gap",)
