"""Models in the store: models/<name>/<version>/, complete once its description is there."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biosynth.contract import MODEL_NAME, MODEL_VERSION

from services.common.errors import ConfigError, at
from services.common.names import check_name
from services.common.storage.store import Store
from services.generation.model import (
    CARD,
    DESCRIPTION,
    FORMAT,
    PICTURE,
    TORCH_WEIGHTS,
    WEIGHTS,
    StoredModel,
    format_of,
    read_model,
    version_order,
)

ROOT = "models/"
_FILES = (WEIGHTS, TORCH_WEIGHTS, CARD, PICTURE, DESCRIPTION)  # the description last: it says that the others are there
_TYPES = {"json": "application/json", "md": "text/markdown", "png": "image/png"}
_MAX_BYTES = 512 * 1024**2
# Of one model; requests may ask for each of them. Disk and memory do not grow with every training.
KEPT_VERSIONS = 3
_log = logging.getLogger(__name__)
_KEY = re.compile(f"{ROOT}({MODEL_NAME})/({MODEL_VERSION})/{re.escape(DESCRIPTION)}")


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model in the store."""

    name: str
    version: str

    @property
    def prefix(self) -> str:
        """What its objects' keys begin with."""
        return f"{ROOT}{self.name}/{self.version}/"


def push_model(store: Store, model: StoredModel) -> None:
    """Put one model into the store; what is there already stays.

    Raises ConfigError where files are absent or not the described ones, for a name or version that cannot be a key,
    and where the store has other files under this version: versions never change.
    """
    # Reading them checks them: nothing of a broken model may reach the store.
    model.weights()
    model.torch_weights()
    version = ModelVersion(model.description.name, model.description.version)
    if not _KEY.fullmatch(version.prefix + DESCRIPTION):
        raise ConfigError(
            "expected a model's name of lower-case letters, digits and dashes and a version such as 1 or 1.2, "
            f"got {version.name!r} {version.version!r} in {model.folder}"
        )
    for name in _FILES:
        if (model.folder / name).is_file():
            _put(store, version.prefix + name, model.folder / name)


def pull_models(store: Store, into: Path, required: Sequence[str] = ()) -> Path:
    """Copy the newest versions of every model in the store, three at most, to `into`, a folder for a ModelShelf.

    required: names that must all be there, or nothing is copied: several models are pushed one after the other.
    Raises ConfigError where one of them is absent, the store has no model, or a model cannot be read.
    """
    newest = list(newest_versions(store))
    names = sorted({version.name for version in newest})
    if not newest or not set(required) <= set(names):
        raise ConfigError(
            f"expected models{' ' if required else ''}{', '.join(required)} under {ROOT} in the store, found "
            f"{', '.join(names) or 'none'}; put them there with `biosynth push`"
        )
    for version in newest:
        _pull(store, version, into)
    return into


@dataclass(frozen=True)
class ModelSource:
    """The store as a place to get models from while a server runs. into: folder of their copies."""

    store: Store
    into: Path

    def find(self, name: str, version: str = "") -> ModelVersion:
        """One version of a model; "": the newest of a format that is read. Raises UnknownName where there is none."""
        found = _complete(self.store)
        with at("name"):
            check_name("model", name, {one.name for one in found})
        newest = next((one.version for one in newest_versions(self.store) if one.name == name), "")
        with at("version"):
            check_name(f"version of {name}", version or newest, {one.version for one in found if one.name == name})
        return ModelVersion(name, version or newest)

    def pull(self, version: ModelVersion) -> StoredModel:
        """Copy it. Raises ConfigError where it cannot be read."""
        return _pull(self.store, version, self.into)


def _pull(store: Store, version: ModelVersion, into: Path) -> StoredModel:
    folder = into / f"{version.name}_{version.version}"
    shutil.rmtree(folder, ignore_errors=True)  # left by an earlier attempt that failed
    folder.mkdir(parents=True)
    for key in sorted(store.list(version.prefix)):
        if (name := key.removeprefix(version.prefix)) in _FILES:
            (folder / name).write_bytes(store.get(key, _MAX_BYTES))
    model = read_model(folder)
    described = model.description
    if (described.name, described.version) != (version.name, version.version):
        raise ConfigError(
            f"expected model {version.name} {version.version} under {version.prefix} in the store, got the "
            f"description of {described.name!r:.80} {described.version!r:.20}; delete that folder and push again"
        )
    return model


def newest_versions(store: Store) -> Iterator[ModelVersion]:
    """The newest complete versions of each model, KEPT_VERSIONS at most, by name, the newest first.

    Versions in a format of another release are left out: after a rollback the newer release's are still there.
    """
    found = _complete(store)
    for name in sorted({version.name for version in found}):
        own = (version for version in found if version.name == name)
        newest = sorted(own, key=lambda version: version_order(version.version), reverse=True)
        yield from itertools.islice((version for version in newest if _is_read(store, version)), KEPT_VERSIONS)


def _complete(store: Store) -> list[ModelVersion]:
    return [ModelVersion(*match.groups()) for key in store.list(ROOT) if (match := _KEY.fullmatch(key))]


def _is_read(store: Store, version: ModelVersion) -> bool:
    found = format_of(store.get(version.prefix + DESCRIPTION, _MAX_BYTES))
    if found in (FORMAT, None):  # what names no format is refused when it is read
        return True
    _log.warning("leaving out %s, of format %.40s: this release reads %s", version.prefix, found, FORMAT)
    return False


def _put(store: Store, key: str, path: Path) -> None:
    data = path.read_bytes()
    put = store.put(key, data, _TYPES.get(path.suffix[1:], "application/octet-stream"))
    # No generated image depends on the card: a reworded one is no reason to refuse a push.
    if path.name not in (CARD, PICTURE) and put.sha256 != hashlib.sha256(data).hexdigest():
        raise ConfigError(
            f"expected {key} to be {path.name} of this folder; the store has another file there, and versions never "
            "change: give the model a new version"
        )
