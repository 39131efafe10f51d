"""What sets of images are called, and what `biosynth evaluate` refuses before it reads any."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli import nearby
from services.cli.commands import evaluate
from services.cli.image_sets import set_names
from services.cli.places import Folder, Prefix
from services.common.storage.folder import FolderStore
from tests.support.commands import runner


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/lab/real", "/lab/made"], ["real", "made"]),
        (["/lab/real", "/a/images", "/b/images"], ["real", "a/images", "b/images"]),
        (["/images", "/a/images"], ["/images", "a/images"]),
        (["/x/a/images", "/y/a/images", "/y/b/images"], ["x/a/images", "y/a/images", "b/images"]),
        (["/lab/real", "/lab/real"], ["real", "real"]),
        (["s3://b/a/images", "s3://b/c/images"], ["a/images", "c/images"]),
    ],
)
def test_sets_are_called_by_the_shortest_end_of_their_path_that_no_other_has(
    folders: list[str], names: list[str]
) -> None:
    assert set_names([Path(folder) for folder in folders]) == names


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """What s3://b/ names, as in test_nearby; no service answers."""
    store = FolderStore(tmp_path / "store")

    def place(text: str, _: object) -> Folder | Prefix:
        key = text.removeprefix("s3://b/")
        return Folder(Path(text)) if key == text else Prefix(store, "b", f"{key}/")

    def no_session(*_: object) -> None:
        raise AssertionError("expected the refusal before any work")

    for module in (nearby, evaluate):
        monkeypatch.setattr(module, "open_place", place)
    monkeypatch.setattr(evaluate, "open_session", no_session)
    return store


def test_a_set_that_is_compared_twice_is_refused_before_work(
    store: FolderStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("real", "made", "--against", "other", "--against", "./made")
    code, _, said = runner(capsys)("evaluate", *given, "--out", tmp_path / "out")
    assert code == 3 and "expected each folder of generated images once; more than once: 'made'" in said


@pytest.mark.parametrize(("there", "warned"), [((), 0), (("metrics.csv",), 0), (("metrics.csv", "metrics.json"), 1)])
def test_a_report_that_is_in_the_store_is_told_of_before_work_for_another_would_be_refused(
    store: FolderStore, there: tuple[str, ...], warned: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in there:
        store.put(f"evaluations/a/{name}", b"of an earlier command", "text/plain")
    with pytest.raises(AssertionError, match="before any work"):
        runner(capsys)("evaluate", "real", "made", "--out", "s3://b/evaluations/a")
    assert capsys.readouterr().err.count("s3://b/evaluations/a has a report") == warned
