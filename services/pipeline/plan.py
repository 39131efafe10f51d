"""Choosing segmenter, schema and model before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from biosynth.contract import CELLS_CHANNEL_SEGMENTER, PARTS

from services.common.errors import InvalidArgument, MissingPart, NoFittingModel, at
from services.common.names import check_name
from services.common.sought import check_finds_cells

AUTO = "auto"
_TWO_CHANNELS = (
    "; an image with a channel of stained nuclei has all parts: name both channels (nuclei_channel and cells_channel, "
    "--nuclei-channel and --cells-channel)"
)
# What an image need not show. A segmenter that looks for no wound can still be drawn under a schema with one: as none.
OPTIONAL_PARTS = frozenset({"wound"})


@dataclass(frozen=True)
class SegmenterFacts:
    """A segmenter's name and the parts that it finds."""

    name: str
    parts: tuple[str, ...]
    by_name_only: bool = False


@dataclass(frozen=True)
class ModelFacts:
    """A model's name, the name of its schema, and the model's version."""

    name: str
    schema: str
    version: str = "1"


@dataclass(frozen=True)
class Catalogue:
    """What the deployment offers.

    schemas: maps a name to the parts that it needs. models: of one name, the version to take by default comes first.
    """

    segmenters: Sequence[SegmenterFacts]
    schemas: Mapping[str, tuple[str, ...]]
    models: Sequence[ModelFacts]


@dataclass(frozen=True)
class Wish:
    """What the caller asked for; empty: left to the plan."""

    segmenter: str = ""
    schema: str = ""
    model: str = ""
    model_version: str = ""


@dataclass(frozen=True)
class Plan:
    """The segmenters that may run, of which `auto` chooses where there are several, and the model for each of them.

    absent: for every segmenter, the parts that its model's schema needs and it does not look for.
    """

    segmenters: Sequence[str]
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def segmenter(self) -> str:
        """The segmenter to ask for."""
        return self.segmenters[0] if len(self.segmenters) == 1 else AUTO


def for_two_channels(catalogue: Catalogue, wish: Wish) -> tuple[Catalogue, Wish]:
    """What there is, and what is asked for, where nuclei have a channel of their own: any segmenter of cells has them.

    Raises InvalidArgument where the wished segmenter finds no cells.
    """
    wished = CELLS_CHANNEL_SEGMENTER if wish.segmenter in ("", AUTO) else wish.segmenter
    for one in catalogue.segmenters:
        if one.name == wished:
            check_finds_cells(one.name, one.parts)
    able = [one for one in catalogue.segmenters if "cells" in one.parts]
    both = [replace(one, parts=tuple(part for part in PARTS if part in (*one.parts, "nuclei"))) for one in able]
    return replace(catalogue, segmenters=both), replace(wish, segmenter=wished)


def for_drawing(catalogue: Catalogue) -> Catalogue:
    """What there is where no image is generated: every schema, as if each had a model of its name."""
    return replace(catalogue, models=[ModelFacts(schema, schema) for schema in catalogue.schemas])


def make_plan(catalogue: Catalogue, wish: Wish) -> Plan:
    """Match every segmenter that the caller allows with a model.

    Of several segmenters for one wished schema or model, the one that lacks fewest of the needed parts is taken, and of
    these the one with the fewest parts beyond. Only optional parts may be lacking.
    Raises UnknownName, InvalidArgument, MissingPart or NoFittingModel, each saying what would fit.
    """
    models = wished_models(catalogue, wish)
    segmenters = _wished_segmenters(catalogue, wish)
    matches = {segmenter: model for segmenter in segmenters if (model := _best_model(catalogue, segmenter, models))}
    if not matches:
        raise _nothing_fits(catalogue, wish, models)
    if wish.schema or wish.model:
        needs = set(catalogue.schemas[models[0].schema])
        chosen = min(matches, key=lambda one: (len(needs - set(one.parts)), len(set(one.parts) - needs), one.name))
        matches = {chosen: matches[chosen]}
    absent = {
        segmenter.name: tuple(part for part in catalogue.schemas[model.schema] if part not in segmenter.parts)
        for segmenter, model in matches.items()
    }
    models_of = {segmenter.name: model for segmenter, model in matches.items()}
    return Plan(tuple(models_of), models_of, absent)


def segmentation_plan(catalogue: Catalogue, wish: Wish) -> Plan:
    """Which segmenters the caller allows, where nothing is drawn of what they find. Raises UnknownName."""
    return Plan([segmenter.name for segmenter in _wished_segmenters(catalogue, wish)])


def wished_models(catalogue: Catalogue, wish: Wish) -> list[ModelFacts]:
    """Models that the wish allows, one version of each. Raises UnknownName, InvalidArgument or NoFittingModel."""
    _check_known("schema", wish.schema, list(catalogue.schemas))
    _check_known("model", wish.model, [model.name for model in catalogue.models])
    models = [
        model
        for model in _one_version_each(catalogue, wish)
        if wish.model in ("", model.name) and wish.schema in ("", model.schema)
    ]
    if not models:
        offered = ", ".join(f"{model.name} ({model.schema})" for model in catalogue.models) or "none installed"
        wanted = f"model {wish.model} under schema {wish.schema}" if wish.model else f"a model for schema {wish.schema}"
        raise NoFittingModel(
            f"expected {wanted}; there are {offered}; choose one of these, or stop before it "
            "(last_stage, --until render)",
            model=wish.model,
            schema=wish.schema,
            known=offered,
        )
    return models


def _one_version_each(catalogue: Catalogue, wish: Wish) -> list[ModelFacts]:
    """Of every name, the version that is wished or, without a wish, the first."""
    if not wish.model_version:
        names = [model.name for model in catalogue.models]
        return [model for number, model in enumerate(catalogue.models) if model.name not in names[:number]]
    if not wish.model:
        raise InvalidArgument("expected the name of the model whose version is asked for; got none", field="model")
    versions = [model.version for model in catalogue.models if model.name == wish.model]
    with at("model_version"):
        check_name(f"version of {wish.model}", wish.model_version, versions)
    return [model for model in catalogue.models if (model.name, model.version) == (wish.model, wish.model_version)]


def _wished_segmenters(catalogue: Catalogue, wish: Wish) -> list[SegmenterFacts]:
    choices = [segmenter for segmenter in catalogue.segmenters if segmenter.name != AUTO]
    _check_known("segmenter", wish.segmenter, [*(segmenter.name for segmenter in choices), AUTO])
    if wish.segmenter in ("", AUTO):
        return [s for s in choices if not s.by_name_only]
    return [s for s in choices if s.name == wish.segmenter]


def _best_model(catalogue: Catalogue, segmenter: SegmenterFacts, models: Sequence[ModelFacts]) -> ModelFacts | None:
    found = set(segmenter.parts)
    needs = {model: set(catalogue.schemas.get(model.schema, ("?",))) for model in models}
    fitting = [model for model in models if needs[model] & found and needs[model] - found <= OPTIONAL_PARTS]
    return max(fitting, key=lambda model: (len(needs[model] & found), model.name), default=None)


def _nothing_fits(catalogue: Catalogue, wish: Wish, models: Sequence[ModelFacts]) -> MissingPart | NoFittingModel:
    needs = ", ".join(f"{model.name} needs {'+'.join(catalogue.schemas.get(model.schema, ('?',)))}" for model in models)
    found = next((s.parts for s in catalogue.segmenters if s.name == wish.segmenter and s.name != AUTO), ())
    if not found:
        return NoFittingModel(f"expected a segmenter that finds what is needed ({needs}); none does{_TWO_CHANNELS}")
    message = (
        f"segmenter {wish.segmenter} finds {'+'.join(found)}; {needs}; choose another segmenter or model{_TWO_CHANNELS}"
    )
    return MissingPart(message) if wish.schema or wish.model else NoFittingModel(message)


def _check_known(kind: str, name: str, known: Sequence[str]) -> None:
    if name:
        with at(kind):
            check_name(kind, name, set(known))
