"""Choosing segmenter, schema and model before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument, MissingPart, NoFittingModel, at
from services.common.names import check_name

AUTO = "auto"
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
    """The model for every segmenter that may run; where there are several, `auto` chooses.

    absent: for every segmenter, the parts that its model's schema needs and it does not look for.
    """

    models: Mapping[str, ModelFacts]
    absent: Mapping[str, tuple[str, ...]]

    @property
    def segmenter(self) -> str:
        """The segmenter to ask for."""
        return next(iter(self.models)) if len(self.models) == 1 else AUTO


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
    return Plan({segmenter.name: model for segmenter, model in matches.items()}, absent)


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
            f"expected {wanted}; there are {offered}; choose one of these, or `render` without a model",
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
        return NoFittingModel(f"expected a segmenter that finds what a model needs ({needs}); none does")
    message = f"segmenter {wish.segmenter} finds {'+'.join(found)}; {needs}; choose another segmenter or model"
    return MissingPart(message) if wish.schema or wish.model else NoFittingModel(message)


def _check_known(kind: str, name: str, known: Sequence[str]) -> None:
    if name:
        with at(kind):
            check_name(kind, name, set(known))
