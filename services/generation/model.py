"""A trained generator on disk: its description, its weights, and the check that they belong together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.common.errors import ConfigError, at
from services.common.names import check_name
from services.generation.appearance import Appearance
from services.generation.light import LIGHTS
from services.generation.looks import AppearanceRecord, LabelStatistics
from services.generation.roles import LevelRoles

FORMAT = "biosynth.generator/3"  # which planes a network sees is part of it
DESCRIPTION, WEIGHTS, TORCH_WEIGHTS = "model.json", "model.onnx", "model.safetensors"
CARD, PICTURE = "CARD.md", "samples.png"  # the picture is one that the card shows
SHIPPED = Path(__file__).parent / "models"


@dataclass(frozen=True)
class ModelDescription:
    """All about a generator but its weights; `model.json` holds it."""

    name: str
    version: str
    description: str
    schema_name: str
    schema_version: int
    roles: LevelRoles
    halo_px: int | None  # None: no halo is wide enough, the network is for patches
    stride_px: int
    parameters: int
    sha256: str  # of the ONNX file
    safetensors_sha256: str  # of the same weights for torch
    training: Mapping[str, Any]
    records: tuple[AppearanceRecord, ...]
    licence: str = ""  # of the weights, an SPDX identifier; "": not stated
    light: str = "threads"  # of uneven grounds, a name of LIGHTS

    @property
    def schema(self) -> str:
        """That its references are drawn under, as their files say it: `name/version`."""
        return f"{self.schema_name}/{self.schema_version}"


@dataclass(frozen=True)
class StoredModel:
    """A model's folder and the description in it.

    fingerprint: SHA-256 of the description, which holds those of the weights: so it covers all that images depend on.
    """

    folder: Path
    description: ModelDescription
    fingerprint: str = ""

    def weights(self) -> bytes:
        """Read the ONNX file. Raises ConfigError where it is absent or not the one described."""
        return self._read(WEIGHTS, self.description.sha256)

    def torch_weights(self) -> bytes:
        """Read the safetensors file, as `weights`."""
        return self._read(TORCH_WEIGHTS, self.description.safetensors_sha256)

    def _read(self, name: str, sha256: str) -> bytes:
        path = self.folder / name
        if not path.is_file():
            raise ConfigError(
                f"expected {name} of model {self.description.name} with sha256 {sha256}; got none: the file is absent; "
                "get the model again"
            )
        data = path.read_bytes()
        if (actual := hashlib.sha256(data).hexdigest()) != sha256:
            # Without the folder's path: this text reaches callers.
            raise ConfigError(
                f"expected {name} of model {self.description.name} with sha256 {sha256}; got {actual}; "
                "get the model again"
            )
        return data

    def card(self) -> str:
        """Read the model card; empty where there is none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_model(folder: Path) -> StoredModel:
    """Read one model's description. Raises ConfigError for a folder without a valid one."""
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8")
        body = json.loads(text)
        if (found := body.pop("format")) != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {found!r:.40}; train the model again for this version")
        body["roles"] = LevelRoles(**{name: tuple(levels) for name, levels in body["roles"].items()})
        body["records"] = tuple(_read_record(record) for record in body["records"])
        if not body["records"]:
            raise ValueError("expected at least one record to draw a look from")
        description = ModelDescription(**body)
        _check_numbers(description)
        return StoredModel(folder, description, hashlib.sha256(text.encode()).hexdigest())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"expected a model description at {path}; {error}") from error


def format_of(description: bytes) -> str | None:
    """The format that a `model.json` names; None for what is none."""
    try:
        return str(json.loads(description)["format"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_record(body: Mapping[str, Any]) -> AppearanceRecord:
    objects = tuple((float(mean), float(deviation)) for mean, deviation in body["objects"])
    if not objects:
        raise ValueError("expected objects in every record")
    labels = LabelStatistics(**body["labels"]) if body.get("labels") else None
    shapes = tuple((float(size), float(aspect), float(fill)) for size, aspect, fill in body.get("shapes", ()))
    if len(shapes) not in (0, len(objects)):
        raise ValueError("expected a shape for each object of a record, or for none")
    return AppearanceRecord(Appearance(**body["appearance"]), objects, labels, body.get("kind", ""), shapes)


def _check_numbers(description: ModelDescription) -> None:
    """Refuse numbers with which the first call would divide by zero or run out of memory."""
    if description.light not in LIGHTS:
        raise ValueError(f"expected light among {', '.join(LIGHTS)}, got {description.light!r:.40}")
    for name, low, high in (("halo_px", 0, 4096), ("stride_px", 1, 256), ("schema_version", 1, 10**6)):
        value = getattr(description, name)
        if name == "halo_px" and value is None:
            continue
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"expected {name} from {low} to {high}, got {value!r:.40}")


def write_description(folder: Path, description: ModelDescription) -> None:
    """Write `model.json`; one record per line, so that a diff of two trainings stays readable."""
    body = {"format": FORMAT, **asdict(description)}
    records = body.pop("records")
    lines = ",\n  ".join(json.dumps(record, separators=(",", ":")) for record in records)
    head = json.dumps(body, indent=1, sort_keys=True).removesuffix("\n}")
    (folder / DESCRIPTION).write_text(f'{head},\n "records": [\n  {lines}\n ]\n}}\n')


def version_order(version: str) -> tuple[int, ...]:
    """A key for sorting.

    >>> sorted(["10", "1.2", "2"], key=version_order)
    ['1.2', '2', '10']
    """
    return tuple(int(number) for number in re.findall("[0-9]+", version))


class ModelShelf:
    """The models in a few folders, by name and version.

    Of one name, the newest of the last folder that has it comes first, and is used where no version is asked for. A
    later folder's model takes the place of an earlier one's of the same version.
    """

    def __init__(self, *roots: Path) -> None:
        self._models: dict[str, dict[str, StoredModel]] = {}
        for root in roots:
            found = [read_model(path.parent) for path in sorted(root.glob(f"*/{DESCRIPTION}"))]
            for model in sorted(found, key=lambda model: version_order(model.description.version)):
                name, version = model.description.name, model.description.version
                others = {key: other for key, other in self._models.get(name, {}).items() if key != version}
                self._models[name] = {version: model, **others}

    def add(self, model: StoredModel) -> None:
        """Put one more model on the shelf; of its name, the default from now on where it is newer than that."""
        name, version = model.description.name, model.description.version
        known = self._models.get(name, {})
        newest = sorted({*known, version}, key=version_order, reverse=True)
        default = version if version_order(version) >= version_order(next(iter(known), version)) else next(iter(known))
        versions = {**known, version: model}
        ordered = {key: versions[key] for key in (default, *newest)}
        self._models = {**self._models, name: ordered}  # anew: other threads read it meanwhile

    def has(self, name: str, version: str) -> bool:
        """Whether this version of a model is on the shelf."""
        return version in self._models.get(name, {})

    def list(self) -> list[StoredModel]:
        """Return all models, sorted by name; of one name, the one that is used by default first."""
        return [model for name in sorted(self._models) for model in self._models[name].values()]

    def names(self) -> Sequence[str]:
        """Return the models' names, sorted."""
        return sorted(self._models)

    def get(self, name: str, version: str = "", fields: tuple[str, str] = ("name", "version")) -> StoredModel:
        """Return one model; version "": the one that is used by default. fields: what a request calls the two.

        Raises UnknownName, which lists the models or the versions there are; InvalidArgument for what is no name.
        """
        with at(fields[0]):
            check_name("model", name, self._models)
        versions = self._models[name]
        with at(fields[1]):
            check_name(f"version of {name}", version or next(iter(versions)), versions)
        return versions[version or next(iter(versions))]
