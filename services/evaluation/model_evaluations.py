"""What the last evaluation of each model came to: small records in the store, from which any replica can read it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from biosynth.contract import MAX_MODEL_CHARACTERS, MODEL_NAME, MODEL_VERSION, model_of

from services.common.errors import InvalidArgument, ResultDamaged
from services.common.storage.results import Json
from services.common.storage.store import Store

FOLDER = "results/evaluations/"
# Of the set metrics, those that alerts are for.
METRICS = ("fidelity_mean_ap", "spectrum_distance", "discriminability")
# Bounds on what is shown, and on what is read to find it, whatever callers send.
MOST_MODELS, MOST_LISTED = 32, 2000
_FORMAT = 1
_MAX_BYTES = 64 * 1024
_LAST = 10**13 - 1  # milliseconds; in the year 2286
# The time that is left until then stands first: stores list by name, so the newest come first and others stay unread.
_KEY = re.compile(rf"{FOLDER}[0-9]{{13}}_({MODEL_NAME})_({MODEL_VERSION})_[0-9a-f]{{16}}\.json")


@dataclass(frozen=True)
class Figure:
    """A metric's value, and what real images reach against real ones; None: not known."""

    value: float
    ceiling: float | None = None


@dataclass(frozen=True)
class ModelEvaluation:
    """One model's figures of one comparison, by name; a metric without a value is absent.

    evaluated_at: seconds since 1970, when the figures were computed. comparison: the folder that holds all of them.
    """

    name: str
    version: str
    evaluated_at: float
    comparison: str
    figures: Mapping[str, Figure]


def check_model(text: str) -> tuple[str, str]:
    """Name and version. Raises InvalidArgument unless the text is `name/version`, fit to be a key and a label."""
    if (found := model_of(text)) is None:
        raise InvalidArgument(
            "expected a model as name/version, the name of lower-case letters, digits and dashes, the version such as "
            f"1 or 1.2, and at most {MAX_MODEL_CHARACTERS} characters; got {text!r:.80}",
            field="model",
        )
    return found


def chosen_figures(sets: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    """Value and ceiling of each of METRICS that has a value. sets: a candidate's, as metrics.json has them.

    >>> chosen_figures([{"name": "spectrum_distance", "value": 0.1, "ceiling": [0.07, 0.06, 0.08]}])
    {'spectrum_distance': [0.1, 0.07]}
    """
    return {
        row["name"]: [row["value"], row["ceiling"][0] if row["ceiling"] else None]
        for row in sets
        if row["name"] in METRICS and row["value"] is not None
    }


def record_evaluation(store: Store, evaluation: ModelEvaluation) -> None:
    """Put it into the store; the same again changes nothing, for its name derives from its content."""
    data = json.dumps({"format": _FORMAT, **asdict(evaluation)}, sort_keys=True, allow_nan=False).encode()
    left, digest = _LAST - round(evaluation.evaluated_at * 1000), hashlib.sha256(data).hexdigest()[:16]
    key = f"{FOLDER}{left:013}_{evaluation.name}_{evaluation.version}_{digest}.json"
    store.put(key, data, "application/json")


def newest_keys(store: Store) -> list[str]:
    """Of each model the key of its newest record: of the 32 models evaluated last, among the 2000 newest records."""
    found: dict[tuple[str, ...], str] = {}
    for key in itertools.islice(store.list(FOLDER), MOST_LISTED):
        if match := _KEY.fullmatch(key):
            found.setdefault(match.groups(), key)
        if len(found) == MOST_MODELS:
            break
    return list(found.values())


def read_evaluation(store: Store, key: str) -> ModelEvaluation:
    """One of `newest_keys`. Raises ResultDamaged for what is no record, and what stores raise."""
    match = _KEY.fullmatch(key)
    try:
        record = json.loads(store.get(key, _MAX_BYTES))
        if match is None or record["format"] != _FORMAT:
            raise ValueError(f"format {record['format']}")
        figures = {name: Figure(**record["figures"][name]) for name in METRICS if name in record["figures"]}
        numbers = [record["evaluated_at"], *(number for figure in figures.values() for number in astuple(figure))]
        if not all(math.isfinite(number) for number in numbers if number is not None):
            raise ValueError("a figure that is no number")
        return ModelEvaluation(match[1], match[2], record["evaluated_at"], str(record["comparison"]), figures)
    except (ValueError, KeyError, TypeError) as error:
        raise ResultDamaged(f"expected the record of an evaluation in {key}, got another; delete it") from error
