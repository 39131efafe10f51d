"""Plug-in segmenters of installed packages, over a real gRPC port; the first is the example of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.v1.segmentation_pb2 import ListSegmentersRequest, SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from services.common.imaging.ometiff import decode_segmentation
from tests.support.distributions import install
from tests.support.ports import free_ports
from tests.support.processes import serving

ROOT = Path(__file__).parents[3]
NAMED = ("bright-blobs", "halves", "failing", "shapeless", "cellpose-cyto", "stardist")
FAULTY = """
import numpy as np
class Halves:
    parts, description, version = ("wound", "cells"), "Left and right.", 7
    takes_diameter, preset_diameter_px = True, 12.5
    def __call__(self, image, diameter_px):
        left = np.zeros(image.shape, bool)
        left[:, : int(diameter_px)] = True
        image[:] = 0  # it is a copy
        return {"cells": np.where(left, 0, 40).astype(np.uint64), "wound": left}
class Failing(Halves):
    def __call__(self, image, diameter_px):
        raise ValueError("a secret")
class Shapeless(Halves):
    def __call__(self, image, diameter_px):
        return {"cells": np.zeros((3, 4), int), "wound": np.zeros((3, 4), bool)}
def never():
    raise SystemExit("imported though not named")
"""


def documented(folder: Path) -> None:
    """Write and install the package that the documentation shows."""
    page = (ROOT / "docs" / "segmenters.md").read_text()
    files = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert sum(len(text.splitlines()) for text in files.values()) < 40
    source = folder / "source"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--no-deps", "--no-build-isolation"]
    command += ["--python", sys.executable, "--target", str(folder / "site"), str(source)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("plugins")
    documented(folder)
    site, [port] = folder / "site", free_ports(1)
    points = {name: f"faulty:{name.capitalize()}" for name in ("halves", "failing", "shapeless")}
    install(site, "faulty", "0.3", {**points, "never": "faulty_never:never"}, FAULTY)
    ours = re.findall(
        r"^(\S+) = \"(services\.segmentation\.plugins\S+)\"$", (ROOT / "pyproject.toml").read_text(), re.M
    )
    install(site, "biosynth-services", "0.1.0", dict(ours))  # as in an image, where the code is not installed
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT), str(ROOT / "protos")]),
        "BIOSYNTH_STORE_PATH": str(folder / "store"),
        "BIOSYNTH_ADDRESS": f"127.0.0.1:{port}",
        "BIOSYNTH_SEGMENTERS": ",".join(NAMED),
    }


@pytest.fixture(scope="module")
def client(environment: dict[str, str]) -> Iterator[Client]:
    with serving(["services.segmentation"], environment), Client(environment["BIOSYNTH_ADDRESS"], retries=0) as client:
        yield client


def segment(
    client: Client, name: str, diameter_px: float | None = None, candidates: tuple[str, ...] = ()
) -> SegmentResponse:
    image = np.full((30, 40), 10, np.uint8)
    image[5:12, 5:12], image[20:28, 8:20] = 200, 180
    request = SegmentRequest(image=Content(file=encode_png(image)), segmenter=name, candidates=candidates)
    if diameter_px is not None:
        request.diameter_px = diameter_px
    return client.segmentation.Segment(request)


def test_the_example_of_the_documentation_finds_what_is_bright(client: Client) -> None:
    reply = segment(client, "bright-blobs")
    nuclei = decode_segmentation(reply.segmentation.file).nuclei
    assert nuclei is not None
    assert np.bincount(nuclei.ravel()).tolist() == [30 * 40 - 49 - 96, 49, 96]
    assert (reply.segmenter.version, reply.segmenter.by_name_only) == ("bright-blobs 1.0", True)
    assert segment(client, "bright-blobs").cached


def test_plugins_that_are_named_are_listed_and_others_are_not(client: Client) -> None:
    listed = {one.name: one for one in client.segmentation.ListSegmenters(ListSegmentersRequest()).segmenters}
    assert {name for name, one in listed.items() if one.by_name_only} == {*NAMED, "cell-free"}
    halves = listed["halves"]
    assert (list(halves.parts), halves.version, halves.takes_diameter) == (["cells", "wound"], "7 (faulty 0.3)", True)


def test_a_plugin_gets_the_callers_diameter_or_its_preset(client: Client) -> None:
    for given, told, wound in ((None, 12.5, 12), (20.0, 20.0, 20)):
        reply = segment(client, "halves", given)
        assert reply.summary.diameter_px == told
        found = decode_segmentation(reply.segmentation.file)
        assert found.wound is not None and found.cells is not None
        assert (found.wound.sum(), found.cells.max()) == (30 * wound, 1)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "failing",
            r"plug-in segmenter failing \(faulty 0.3\): it failed with ValueError; the server's log has the cause",
        ),
        ("shapeless", r"expected cells as an array of integer labels from 0 \(30, 40\); got int64 \(3, 4\)"),
    ],
)
def test_a_plugin_at_fault_is_named_and_its_own_words_are_not_told(client: Client, name: str, words: str) -> None:
    with pytest.raises(BiosynthCallError, match=words) as caught:
        segment(client, name)
    assert (caught.value.code.name, caught.value.reason) == ("INTERNAL", "PLUGIN_FAULT")
    assert "secret" not in str(caught.value)


def test_auto_never_chooses_a_plugin(client: Client) -> None:
    assert segment(client, "auto", candidates=("bright-blobs", "wound")).segmenter.name == "wound"
    with pytest.raises(BiosynthCallError, match=r"bright-blobs, halves must be asked for by name") as caught:
        segment(client, "auto", candidates=("bright-blobs", "halves"))
    assert list(caught.value.fields) == ["candidates"]


@pytest.mark.parametrize(("name", "package"), [("cellpose-cyto", "'cellpose>=3,<4'"), ("stardist", "StarDist")])
def test_a_plugin_without_its_program_says_what_to_install(client: Client, name: str, package: str) -> None:
    with pytest.raises(BiosynthCallError, match=f"needs .*{package}.*installed: none; pip install") as caught:
        segment(client, name)
    assert (caught.value.code.name, caught.value.reason) == ("FAILED_PRECONDITION", "UNSUPPORTED")


def test_the_command_line_tells_of_plugins(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "services.cli", "info"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "bright-blobs (nuclei)" in told


def test_a_name_that_is_not_installed_ends_the_start_with_those_that_are(environment: dict[str, str]) -> None:
    env = {**environment, "BIOSYNTH_SEGMENTERS": "bright-blob"}
    command = [sys.executable, "-m", "services.segmentation"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert (
        "BIOSYNTH_SEGMENTERS: expected installed plug-ins, which are: bright-blobs (of bright-blobs 1.0)" in done.stderr
    )
