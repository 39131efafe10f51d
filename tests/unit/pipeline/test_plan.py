"""What runs with what, decided before any work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.common.errors import BiosynthError, InvalidArgument, MissingPart, NoFittingModel, UnknownName
from services.pipeline.plan import (
    AUTO,
    Catalogue,
    ModelFacts,
    SegmenterFacts,
    Wish,
    for_drawing,
    for_two_channels,
    make_plan,
    segmentation_plan,
    wished_models,
)

CATALOGUE = Catalogue(
    segmenters=[
        SegmenterFacts(AUTO, ("cells", "nuclei", "wound")),
        SegmenterFacts("both", ("cells", "nuclei", "wound")),
        SegmenterFacts("nuclei", ("nuclei",)),
        SegmenterFacts("scratch", ("cells", "wound")),
    ],
    schemas={"nuclei3": ("nuclei",), "cells4": ("cells", "wound"), "levels4": ("cells", "nuclei", "wound")},
    models=[ModelFacts("fluo", "nuclei3"), ModelFacts("phase", "cells4")],
)


def _names(wish: Wish, catalogue: Catalogue = CATALOGUE) -> dict[str, str]:
    return {segmenter: model.name for segmenter, model in make_plan(catalogue, wish).models.items()}


def test_no_wish_leaves_the_choice_to_auto_among_segmenters_with_a_model() -> None:
    plan = make_plan(CATALOGUE, Wish())
    assert plan.segmenter == AUTO
    assert _names(Wish()) == _names(Wish(segmenter=AUTO)) == {"both": "phase", "nuclei": "fluo", "scratch": "phase"}


def test_a_segmenter_no_model_fits_is_left_out_of_auto() -> None:
    catalogue = replace(CATALOGUE, models=[ModelFacts("fluo", "nuclei3")])
    assert _names(Wish(), catalogue) == {"both": "fluo", "nuclei": "fluo"}


def test_a_segmenter_for_asking_by_name_runs_for_no_other_wish() -> None:
    catalogue = replace(CATALOGUE, segmenters=[*CATALOGUE.segmenters, SegmenterFacts("mine", ("nuclei",), True)])
    assert _names(Wish(), catalogue) == _names(Wish())
    assert _names(Wish(model="fluo"), catalogue) == {"nuclei": "fluo"}
    assert _names(Wish(segmenter="mine"), catalogue) == {"mine": "fluo"}


def test_a_wished_segmenter_gets_the_model_that_uses_most_of_its_parts() -> None:
    assert _names(Wish(segmenter="nuclei")) == {"nuclei": "fluo"}
    assert _names(Wish(segmenter="both")) == {"both": "phase"}
    more = replace(CATALOGUE, models=[*CATALOGUE.models, ModelFacts("all", "levels4")])
    assert _names(Wish(segmenter="both"), more) == {"both": "all"}
    assert make_plan(CATALOGUE, Wish(segmenter="nuclei")).segmenter == "nuclei"


@pytest.mark.parametrize("wish", [Wish(schema="cells4"), Wish(model="phase"), Wish(schema="cells4", model="phase")])
def test_a_wished_schema_or_model_gets_the_segmenter_with_the_least_beyond_need(wish: Wish) -> None:
    assert _names(wish) == {"scratch": "phase"}


CELLS = replace(CATALOGUE, segmenters=[*CATALOGUE.segmenters, SegmenterFacts("cells", ("cells",))])


def test_a_segmenter_that_looks_for_no_wound_is_drawn_with_none() -> None:
    plan = make_plan(CELLS, Wish(segmenter="cells"))
    assert plan.models == {"cells": ModelFacts("phase", "cells4")}
    assert plan.absent == {"cells": ("wound",)}
    with pytest.raises(NoFittingModel):  # nuclei are not optional
        make_plan(replace(CELLS, models=[ModelFacts("all", "levels4")]), Wish(segmenter="cells"))


def test_a_segmenter_that_finds_all_that_is_needed_goes_first() -> None:
    assert _names(Wish(model="phase"), CELLS) == {"scratch": "phase"}
    assert make_plan(CELLS, Wish(model="phase")).absent == {"scratch": ()}


def test_a_wish_for_all_three_is_obeyed() -> None:
    assert _names(Wish("both", "nuclei3", "fluo")) == {"both": "fluo"}


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        (Wish(segmenter="magic"), UnknownName, "segmenter among auto, both, nuclei, scratch; got 'magic'"),
        (Wish(schema="magic"), UnknownName, "schema among cells4, levels4, nuclei3; got 'magic'"),
        (Wish(model="magic"), UnknownName, "model among fluo, phase; got 'magic'"),
        (Wish(model="m" * 201), InvalidArgument, "got 201 characters"),
        (Wish(schema="levels4"), NoFittingModel, r"a model for schema levels4; there are fluo \(nuclei3\)"),
        (Wish(schema="nuclei3", model="phase"), NoFittingModel, "model phase under schema nuclei3"),
        (Wish("nuclei", model="phase"), MissingPart, r"nuclei finds nuclei; phase needs cells\+wound"),
        (Wish("nuclei", schema="cells4"), MissingPart, r"nuclei finds nuclei; phase needs cells\+wound"),
    ],
)
def test_a_wish_that_cannot_be_met_says_what_could(wish: Wish, error: type[BiosynthError], message: str) -> None:
    with pytest.raises(error, match=message):
        make_plan(CATALOGUE, wish)


@pytest.mark.parametrize("segmenter", ["", AUTO])
def test_models_that_no_segmenter_serves_are_named_with_their_needs(segmenter: str) -> None:
    catalogue = replace(CATALOGUE, segmenters=[SegmenterFacts(AUTO, ("wound",)), SegmenterFacts("gaps", ("wound",))])
    with pytest.raises(NoFittingModel, match=r"fluo needs nuclei, phase needs cells\+wound\); none does"):
        make_plan(catalogue, Wish(segmenter=segmenter))


def test_a_segmenter_that_no_model_fits_is_named_with_what_it_finds() -> None:
    catalogue = replace(CATALOGUE, models=[ModelFacts("fluo", "nuclei3")])
    with pytest.raises(NoFittingModel, match=r"segmenter scratch finds cells\+wound; fluo needs nuclei"):
        make_plan(catalogue, Wish(segmenter="scratch"))


def test_a_model_of_a_schema_that_is_not_offered_is_never_chosen() -> None:
    catalogue = replace(CATALOGUE, models=[ModelFacts("odd", "custom")])
    with pytest.raises(NoFittingModel, match=r"odd needs \?"):
        make_plan(catalogue, Wish())


def test_without_models_the_answer_says_so() -> None:
    with pytest.raises(NoFittingModel, match="none installed"):
        make_plan(replace(CATALOGUE, models=[]), Wish())


def test_for_a_reference_the_models_are_those_of_its_schema() -> None:
    assert wished_models(CATALOGUE, Wish(schema="nuclei3")) == [ModelFacts("fluo", "nuclei3")]
    assert wished_models(CATALOGUE, Wish()) == CATALOGUE.models


def test_with_a_channel_of_nuclei_a_segmenter_of_cells_has_all_parts() -> None:
    for wish in (Wish(schema="levels4"), Wish(segmenter=AUTO, schema="levels4"), Wish("scratch", "levels4")):
        plan = make_plan(*for_two_channels(for_drawing(CATALOGUE), wish))
        assert (plan.segmenter, plan.absent) == ("scratch", {"scratch": ()})
    plan = make_plan(*for_two_channels(for_drawing(CELLS), Wish("cells", "levels4")))
    assert (plan.segmenter, plan.absent) == ("cells", {"cells": ("wound",)})


@pytest.mark.parametrize(("segmenter", "error"), [("nuclei", InvalidArgument), ("magic", UnknownName)])
def test_with_a_channel_of_nuclei_the_segmenter_must_find_cells(segmenter: str, error: type[BiosynthError]) -> None:
    with pytest.raises(error, match=r"cells|scratch"):
        make_plan(*for_two_channels(CATALOGUE, Wish(segmenter)))


def test_to_draw_no_model_is_needed_and_the_segmenter_is_chosen_by_the_schema() -> None:
    bare = for_drawing(replace(CATALOGUE, models=[]))
    assert make_plan(bare, Wish(schema="nuclei3")).segmenter == "nuclei"
    assert make_plan(bare, Wish(schema="cells4")).segmenter == "scratch"
    with pytest.raises(UnknownName):
        make_plan(bare, Wish(schema="magic"))
    with pytest.raises(MissingPart, match=r"levels4 needs cells\+nuclei\+wound.*nuclei_channel"):
        make_plan(bare, Wish("scratch", "levels4"))


def test_to_segment_alone_any_segmenter_will_do() -> None:
    assert segmentation_plan(CATALOGUE, Wish()).segmenter == AUTO
    assert segmentation_plan(CATALOGUE, Wish()).segmenters == ["both", "nuclei", "scratch"]
    assert segmentation_plan(CATALOGUE, Wish(segmenter="nuclei")).segmenter == "nuclei"
    with pytest.raises(UnknownName):
        segmentation_plan(CATALOGUE, Wish(segmenter="magic"))
