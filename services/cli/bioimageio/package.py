"""A generator as a BioImage.IO package: one zip that other programs run without ours."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from services.cli.bioimageio.description import INPUT, OUTPUT, README, description_of
from services.cli.bioimageio.readme import readme
from services.cli.bioimageio.tensors import example_tensors
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.packing import pack_zip
from services.generation.model import DESCRIPTION, PICTURE, WEIGHTS, StoredModel
from services.reference.schemas import named


def package(stored: StoredModel, authors: Sequence[str]) -> bytes:
    """The zip. Raises ConfigError for a model whose weights or label statistics are absent."""
    weights, schema = stored.weights(), named(stored.description.schema_name)
    planes, image = example_tensors(stored.description, OnnxCpuEngine(weights))
    files = {
        WEIGHTS: weights,
        INPUT: _npy(planes),
        OUTPUT: _npy(image),
        README: readme(stored, schema).encode(),
        DESCRIPTION: (stored.folder / DESCRIPTION).read_bytes(),
    }
    if (picture := stored.folder / PICTURE).is_file():
        files[PICTURE] = picture.read_bytes()
    sha256 = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    description = description_of(stored, schema, authors, sha256)
    return pack_zip({"bioimageio.yaml": _yaml(description), **files}.items())


def _npy(array: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


class _Plain(yaml.SafeDumper):
    """YAML without anchors, which few readers of this format expect."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write equal things twice."""
        return True


def _yaml(description: Mapping[str, Any]) -> bytes:
    return yaml.dump(dict(description), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120).encode()
