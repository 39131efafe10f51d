"""Records of what the last evaluation of each model came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import InvalidArgument, ResultDamaged
from services.common.storage.folder import FolderStore
from services.evaluation.model_evaluations import (
    FOLDER,
    MOST_LISTED,
    MOST_MODELS,
    Figure,
    ModelEvaluation,
    check_model,
    chosen_figures,
    newest_keys,
    read_evaluation,
    record_evaluation,
)
from tests.unit.evaluation.report_sample import sample


def evaluation(name: str, version: str, at: float, value: float = 0.25) -> ModelEvaluation:
    figures = {"spectrum_distance": Figure(value, 0.125), "discriminability": Figure(0.75)}
    return ModelEvaluation(name, version, at, "results/compare-sets/0", figures)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def shown(store: FolderStore) -> list[ModelEvaluation]:
    return [read_evaluation(store, key) for key in newest_keys(store)]


def test_of_each_model_and_version_the_newest_is_found_whatever_the_order_of_writing(store: FolderStore) -> None:
    first, second = evaluation("a", "1", 1000.001), evaluation("a", "1", 1000.002, 0.5)
    other, later = evaluation("a", "1.10", 999.0), evaluation("b-c", "2", 5_000_000_000.0)
    for one in (second, later, first, other):
        record_evaluation(store, one)
    assert shown(store) == [later, second, other]


def test_recording_the_same_again_changes_nothing(store: FolderStore) -> None:
    for _ in range(2):
        record_evaluation(store, evaluation("a", "1", 1000.0))
    assert len(list(store.list(""))) == 1


def test_models_beyond_the_most_are_dropped_oldest_first(store: FolderStore) -> None:
    for number in range(MOST_MODELS + 3):
        record_evaluation(store, evaluation(f"model-{number}", "1", 1000.0 + number))
    assert [one.name for one in shown(store)] == [f"model-{number + 3}" for number in reversed(range(MOST_MODELS))]


def test_no_more_than_the_newest_records_are_looked_at(store: FolderStore) -> None:
    asked = 0

    class Endless(FolderStore):
        def list(self, prefix: str):  # type: ignore[no-untyped-def]
            nonlocal asked
            while True:
                asked += 1
                yield f"{FOLDER}{asked:013}_a_1_{'0' * 16}.json"

    assert len(newest_keys(Endless(Path("unused")))) == 1
    assert asked == MOST_LISTED


@pytest.mark.parametrize(
    "data",
    [
        b"no json",
        b"[]",
        b'{"format": 2, "evaluated_at": 1, "comparison": "x", "figures": {}}',
        b'{"format": 1, "evaluated_at": "now", "comparison": "x", "figures": {}}',
        b'{"format": 1, "evaluated_at": 1, "comparison": "x", "figures": {"spectrum_distance": {"value": NaN}}}',
        b'{"format": 1, "evaluated_at": 1, "comparison": "x", "figures": {"spectrum_distance": {"value": "1"}}}',
    ],
)
def test_what_is_no_record_is_damaged(store: FolderStore, data: bytes) -> None:
    key = f"{FOLDER}{'0' * 13}_a_1_{'0' * 16}.json"
    store.put(key, data, "application/json")
    with pytest.raises(ResultDamaged, match=key):
        read_evaluation(store, key)


def test_other_objects_in_the_folder_are_passed_over(store: FolderStore) -> None:
    store.put(f"{FOLDER}readme.txt", b"hello", "text/plain")
    assert newest_keys(store) == []


def test_figures_are_chosen_by_name_and_those_without_a_value_left_out() -> None:
    sets = sample()["candidates"][0]["sets"]
    assert chosen_figures(sets) == {
        "discriminability": [0.55, 0.5],
        "spectrum_distance": [0.049, 0.035],
        "fidelity_mean_ap": [0.641, 0.646],
    }
    absent = [{**row, "value": None, "ceiling": None} for row in sets]
    assert chosen_figures([*absent[:1], {**sets[1], "ceiling": None}]) == {"spectrum_distance": [0.049, None]}


@pytest.mark.parametrize("text", ["fluo-nuclei/2", "0/0", "a-/1.2.10", f"{'a' * 98}/1"])
def test_a_model_has_a_name_and_a_version(text: str) -> None:
    assert "/".join(check_model(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/", "/1", "A/1", "a/1/2", "../1", "a/../1", "a/1\n", "a_b/1", 'a"}/1', "a/x", "a/1.", "a/١", "é/1",
     f"{'a' * 99}/1", "-a/1", "a b/1"],
)  # fmt: skip
def test_text_that_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="expected a model as name/version"):
        check_model(text)
