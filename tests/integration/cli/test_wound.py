"""`biosynth wound` as a user meets it: simulated assays whose closure is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pictures
from PIL import ImageSequence

from services.common.imaging.images import decode_image, encode_png
from tests.integration.cli.test_command_line import Cli
from tests.support.wounds import SHAPE, band, closing, frame, sparse, write_series

WIDTHS = (200, 186, 168, 157, 139, 126)  # 15 px an hour, and something


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def _done(cli: Cli, out: Path, *arguments: object) -> dict[str, Any]:
    done = cli("wound", *arguments, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def test_a_closing_band_is_measured_at_its_known_rate(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = write_series(tmp_path / "well", closing(WIDTHS))
    record = _done(cli, out, folder, "--interval", "30min", "--pixel-size", 0.5)
    assert {path.name for path in out.iterdir()} == {"frames.csv", "series.csv", "closure.png", "well.gif"}
    rows, [series] = _rows(out / "frames.csv"), _rows(out / "series.csv")
    assert [row["frame"] for row in rows] == [f"t{number}.png" for number in range(6)]
    assert [float(row["time_h"]) for row in rows] == [0, 0.5, 1, 1.5, 2, 2.5]
    for row, width in zip(rows, WIDTHS, strict=True):
        assert float(row["mean_width_px"]) == pytest.approx(width, abs=8)
        assert float(row["area_um2"]) == pytest.approx(0.25 * float(row["area_px"]), rel=1e-5)
        assert float(row["right_front_um"]) - float(row["left_front_um"]) == pytest.approx(width / 2, abs=4)
    assert float(series["narrowing_px_per_h_low"]) < 30 < float(series["narrowing_px_per_h_high"])
    assert float(series["rate_percent_per_h_low"]) < 15 < float(series["rate_percent_per_h_high"])
    assert (series["state"], series["half_closing_h"], series["early_frames"]) == ("open", "", "6")
    assert record["series"][0]["lies"] == "upright"
    with Pictures.open(out / "well.gif") as film:
        assert len([*ImageSequence.Iterator(film)]) == 6 and film.size == (500, 326)
    assert decode_image((out / "closure.png").read_bytes()).shape[1] == 960


def test_a_wound_that_closes_says_when_and_the_line_stops_at_half(cli: Cli, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "well", closing((200, 160, 120, 80, 0, 0), tilt_degrees=6.0))
    record = _done(cli, tmp_path / "out", folder, "--interval", "2h")
    [series] = record["series"]
    assert (series["state"], series["closed_h"], series["closure_percent"]) == ("closed", 8.0, 100.0)
    assert (series["early_frames"], series["early_until_h"]) == (4, 6.0)
    assert series["half_closing_h"] == pytest.approx(5.0, abs=0.4)
    assert series["tilt_degrees"] == pytest.approx(6.0, abs=1.5)
    assert [row["state"] for row in record["frames"]] == ["open"] * 4 + ["closed"] * 2
    assert record["frames"][4]["left_front_px"] is None and record["frames"][4]["area_px"] == 0
    assert record["frames"][0]["area_um2"] is None


def test_sparse_cells_have_no_wound_unless_any_shape_will_do(cli: Cli, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "sparse", [sparse(0), sparse(0)])
    done = cli("wound", folder, "--interval", "1h", "--out", tmp_path / "out")
    assert done.returncode == 0 and "sparse: no wound in its first frame" in done.stderr
    assert [row["state"] for row in _rows(tmp_path / "out" / "frames.csv")] == ["no wound"] * 2
    assert _rows(tmp_path / "out" / "series.csv")[0]["closure_percent"] == ""
    record = _done(cli, tmp_path / "any", folder, "--interval", "1h", "--any-shape")
    assert record["frames"][0]["area_px"] > 0.3 * 512 * 512 and record["frames"][0]["mean_width_px"] is None


def test_gaps_and_refused_frames_are_told_and_the_others_measured(cli: Cli, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "well", closing(WIDTHS))
    (folder / "t1.png").unlink()
    (folder / "t3.png").write_bytes(encode_png(frame(band(150, shape=(300, 400)))))
    (folder / "t4.png").write_bytes((folder / "t4.png").read_bytes()[:5000])
    done = cli("wound", folder, "--interval", "1h", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "well: no frame of number 1; times of the others are kept" in done.stderr
    assert "t3.png: expected frames of one size, 300 x 500 px as the first; got 300 x 400 px" in done.stderr
    assert "t4.png" in done.stderr and "2 of 5 frames failed" in done.stderr
    rows, [series] = _rows(tmp_path / "out" / "frames.csv"), _rows(tmp_path / "out" / "series.csv")
    assert [row["time_h"] for row in rows] == ["0", "2", "3", "4", "5"]
    assert [row["state"] for row in rows] == ["open", "open", "failed", "failed", "open"]
    assert (series["missing_frames"], series["failed_frames"]) == ("1", "t3.png t4.png")
    assert series["rate_percent_per_h_low"] != "" and series["early_frames"] == "3"


def test_groups_of_a_table_have_means_with_intervals(cli: Cli, tmp_path: Path) -> None:
    for name, widths in {"A1": (200, 180), "A2": (190, 168), "B1": (200, 120), "B2": (210, 130)}.items():
        write_series(tmp_path / "plate", closing(widths), f"{name}_t{{}}.png")
    table = tmp_path / "wells.csv"
    table.write_text("series,drug\nA1,slow\nA2,slow\nB1,fast\nB2,fast\n")
    words = ("--interval", "1h", "--table", table, "--group", "drug")
    record = _done(cli, tmp_path / "out", tmp_path / "plate", *words)
    means = {(row["group"], row["quantity"], row["time_h"]): row for row in record["groups"]}
    slow, fast = (means[group, "closure_percent", 1.0] for group in ("slow", "fast"))
    assert (slow["mean"], fast["mean"]) == (pytest.approx(10.8, abs=2), pytest.approx(39, abs=2))
    assert slow["series"] == 2 and slow["low"] < slow["mean"] < slow["high"]
    assert means["fast", "rate_percent_per_h", None]["mean"] == pytest.approx(fast["mean"])
    assert [row["group"] for row in _rows(tmp_path / "out" / "groups.csv")] == ["fast"] * 4 + ["slow"] * 4
    assert (tmp_path / "out" / "A1.gif").exists()
    refused = cli("wound", tmp_path / "plate", "--interval", "1h", "--table", table, "--out", tmp_path / "out")
    assert refused.returncode == 3 and "expected --table and --group together" in refused.stderr


def test_a_group_without_wounds_has_no_means_and_the_folder_of_frames_stays_as_it_is(cli: Cli, tmp_path: Path) -> None:
    folders = [write_series(tmp_path / "A1", closing((200, 180))), write_series(tmp_path / "A2", [sparse()] * 2)]
    table = tmp_path / "wells.csv"
    table.write_text("series,drug\nA1,x\nA2,y\n")
    words = ("--interval", "1h", "--table", table, "--group", "drug")
    record = _done(cli, tmp_path / "out", *folders, *words)
    assert {row["group"] for row in record["groups"]} == {"x"} and record["groups"][0]["low"] is None
    refused = cli("wound", folders[0], "--interval", "1h", "--out", folders[0])
    assert refused.returncode == 3 and "expected --out beside the frames" in refused.stderr


def test_a_stack_is_a_series_and_tells_its_pixel_size(cli: Cli, tmp_path: Path) -> None:
    stack = tmp_path / "well.tif"
    pixels = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(stack, np.stack(closing((200, 150, 100))), photometric="minisblack", **pixels)
    record = _done(cli, tmp_path / "out", stack, "--interval", "1h")
    first = record["frames"][0]
    assert first["frame"] == "well.tif[0]" and first["mean_width_um"] == pytest.approx(100, abs=4)
    assert first["area_px"] == pytest.approx(200 * SHAPE[0], rel=0.04)
    assert (tmp_path / "out" / "well.gif").exists()
