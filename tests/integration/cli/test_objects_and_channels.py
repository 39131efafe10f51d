"""Two channels, diameters, objects and runs that stop early, as a user of the command meets them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from biosynth import ObjectTable

from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.ometiff import decode_segmentation
from tests.integration.cli.test_command_line import SEGMENTED, Cli
from tests.support.pictures import nuclei_picture
from tests.support.two_channels import ome_tiff, two_channels

BOTH = ("--nuclei-channel", 0, "--cells-channel", 1)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    nuclei, phase, _ = two_channels()
    path = tmp_path / "two_channel.ome.tif"
    path.write_bytes(ome_tiff(nuclei, phase, pixel_um=0.65))
    return path


def test_a_two_channel_image_becomes_a_levels9_reference_by_one_command(cli: Cli, frame: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cli("run", frame, *BOTH, "--schema", "levels9", "--until", "render", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert "nuclei, wound" in done.stderr and "model" not in done.stderr
    assert decode_segmentation((out / "segmentation.ome.tif").read_bytes()).parts == ("cells", "nuclei", "wound")
    # Wound, gap, cells in five tiers, cell boundary, nucleus, nucleus boundary: the picture has them all.
    assert np.array_equal(np.unique(decode_image((out / "reference.png").read_bytes())), np.arange(10))
    record = json.loads((out / "run.json").read_text())
    assert set(record["outputs"]) == {*SEGMENTED, "reference.png", "reference_grey.png", "overview.png"}
    assert {*record["outputs"], "report.html", "run.json"} == {path.name for path in out.iterdir()}
    for name, sha256 in record["outputs"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
    assert [level["pixels"] > 0 for level in record["reference"]["levels"]] == [True] * 10
    assert "generation" not in record and [stage["stage"] for stage in record["stages"]] == [
        "plan",
        "segment",
        "render",
    ]
    assert (record["parameters"]["cells_channel"], record["parameters"]["until"]) == (1, "render")
    assert "levels9 v1" in (out / "report.html").read_text()


def test_a_run_until_its_segmentation_makes_that_alone(cli: Cli, tmp_path: Path) -> None:
    image = tmp_path / "nuclei.png"
    image.write_bytes(encode_png(nuclei_picture()))
    out = tmp_path / "out"
    assert cli("run", image, "--until", "segment", "--out", out).returncode == 0
    assert {path.name for path in out.iterdir()} == {*SEGMENTED, "overview.png", "report.html", "run.json"}
    refused = cli("run", image, "--until", "render", "--out", out)
    assert refused.returncode == 3 and "expected a schema to draw under" in refused.stderr


def test_segment_writes_a_table_and_a_picture_of_the_objects_and_tells_of_doubts(
    cli: Cli, frame: Path, tmp_path: Path
) -> None:
    done = cli("segment", frame, *BOTH, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)["images"]
    objects = ObjectTable.of(Path(record["objects"]).read_bytes())
    assert (len(objects.of_part("cells")), len(objects.of_part("nuclei"))) == (record["cells"], record["nuclei"])
    assert decode_image(Path(record["picture"]).read_bytes()).shape[1] == 528
    assert record["choice_confidence"] is None
    assert not any("channel" in warning for warning in record["warnings"])

    nuclei, phase, _ = two_channels()
    frame.write_bytes(ome_tiff(np.full_like(nuclei, 10), phase))
    doubtful = cli("segment", frame, *BOTH, "--out", tmp_path / "out", "--quiet")
    assert doubtful.returncode == 0
    assert "two_channel.ome.tif: no nuclei were found in nuclei_channel" in doubtful.stderr


def test_a_diameter_in_micrometres_needs_a_pixel_size(cli: Cli, frame: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.png"
    bare.write_bytes(encode_png(nuclei_picture()))
    refused = cli("segment", bare, "--diameter", "12um", "--out", tmp_path / "o")
    assert refused.returncode == 3 and "--pixel-size UM" in refused.stderr
    # 1 mm of 0.65 um is more than the image has: its own pixel size was read.
    refused = cli("run", frame, *BOTH, "--diameter", "1000um", "--out", tmp_path / "o")
    assert refused.returncode == 3 and "528 px; got 1538" in refused.stderr


@pytest.mark.parametrize("command", ["segment", "run"])
def test_help_teaches_two_channels_by_an_example(cli: Cli, command: str) -> None:
    shown = cli(command, "--help").stdout
    assert f"biosynth {command} two.ome.tif --nuclei-channel 0 --cells-channel 1" in shown
    assert "--diameter LENGTH" in shown
