"""The `biosynth` command as a user runs it: in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from biosynth import ObjectTable

from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.ometiff import decode_segmentation
from services.common.storage.folder import FolderStore
from tests.integration.services.test_bad_inputs import png_bomb
from tests.support.pictures import nuclei_picture, scratch_picture
from tests.support.ports import free_ports

SEGMENTED = ("segmentation.ome.tif", "objects.csv", "objects.png", "objects.geojson", "objects.rois.zip")
PICTURES = (*SEGMENTED, "reference.png", "reference_grey.png", "generated.png", "look.json", "overview.png")


class Cli:
    """Runs commands with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BIOSYNTH_")}
        self.environment = {**kept, "XDG_CACHE_HOME": str(folder / "cache")}

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "services.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=self.environment, check=False)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services.cli", *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "nuclei.png"
    path.write_bytes(encode_png(nuclei_picture()))
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PICTURES}


def test_run_writes_all_that_it_promises_and_a_report_that_needs_nothing_beside_it(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    done = cli("run", image, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert json.loads(done.stdout)["outputs"] == record["outputs"] == hashes(tmp_path / "out")
    assert record["generation"]["model"] == "fluo-nuclei"
    assert record["input"]["sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page and 'src="data:' in page


def test_generate_imitates_an_image_or_the_look_of_a_run(cli: Cli, image: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("run", image, "--out", run).returncode == 0
    reference, segmentation = run / "reference.png", run / "segmentation.ome.tif"
    made = {}
    for name, like in {
        "image": ("--like", image),
        "segmented": ("--like", image, "--like-segmentation", segmentation),
        "look": ("--like", run / "look.json"),
        "drawn": (),
    }.items():
        done = cli("generate", reference, "--model", "fluo-nuclei", "--out", tmp_path / f"{name}.png", "--json", *like)
        assert done.returncode == 0, done.stderr
        made[name] = json.loads(done.stdout)
    assert {name: record["look"]["origin"] for name, record in made.items()} == {
        "image": "measured", "segmented": "measured", "look": "given", "drawn": "drawn"
    }  # fmt: skip
    assert made["drawn"]["look"]["drawn_from"] == "dsb2018-fluo"
    # The segmenter finds what it found before, so the two ways measure one look.
    assert made["image"]["appearance"] == made["segmented"]["appearance"]
    assert made["look"]["appearance"]["background"] == pytest.approx(made["image"]["appearance"]["background"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--like-segmentation", "x.ome.tif"), "expected an image as --like"),
        (("--like", "absent.png"), "expected a readable file at absent.png"),
        (("--like", "reference.json"), "reference.json; got another file"),
    ],
)
def test_a_likeness_that_cannot_be_is_refused_before_work(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    reference = tmp_path / "reference.png"
    reference.write_bytes(encode_png(np.zeros((16, 16), np.uint8)))
    (tmp_path / "reference.json").write_text("{]")
    given = [str(tmp_path / option) if option == "reference.json" else option for option in options]
    done = cli("generate", reference, "--model", "fluo-nuclei", "--out", tmp_path / "o.png", *given)
    assert done.returncode == 3
    assert message in done.stderr


def test_generate_does_not_overwrite_the_segmentation_of_what_it_imitates(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    assert cli("run", image, "--out", tmp_path / "r").returncode == 0
    reference, shown = tmp_path / "r" / "reference.png", tmp_path / "r" / "segmentation.ome.tif"
    before = shown.read_bytes()
    like = ("--like", image, "--like-segmentation", shown)
    done = cli("generate", reference, "--model", "fluo-nuclei", *like, "--out", shown)
    assert done.returncode == 3 and "would be overwritten" in done.stderr
    assert shown.read_bytes() == before


def test_a_run_that_draws_its_look_and_one_unlike_training_say_so(cli: Cli, image: Path, tmp_path: Path) -> None:
    done = cli("run", image, "--out", tmp_path / "o", "--appearance", "sampled", "--appearance", "background=0.9")
    assert done.returncode == 0, done.stderr
    assert "unlike the images that model fluo-nuclei was trained on: background is 0.9" in done.stderr
    record = json.loads((tmp_path / "o" / "run.json").read_text())
    assert record["parameters"]["look"] == record["generation"]["look"]["origin"] == "drawn"
    assert record["generation"]["warnings"]
    assert "training images have" in (tmp_path / "o" / "report.html").read_text()


def test_a_run_says_how_near_its_image_comes_and_compare_says_the_same(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("run", image, "--out", tmp_path / "o").returncode == 0
    likeness = json.loads((tmp_path / "o" / "run.json").read_text())["likeness"]
    assert 0 < likeness["ssim"] < 1 and "lpips" not in likeness
    done = cli("compare", image, tmp_path / "o" / "generated.png", "--json")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["metrics"]
    assert {name: metric["value"] for name, metric in metrics.items() if metric["value"] is not None} == likeness
    lines = cli("compare", image, tmp_path / "o" / "generated.png").stdout.splitlines()
    assert lines[0].startswith("mse ") and lines[0].endswith("  lower is better")


def test_evaluate_writes_figures_and_a_report(cli: Cli, tmp_path: Path) -> None:
    made, smeared = "made/images", "smeared/images"  # as of two orders of `synthesize`
    for folder, blur in (("real", 1), (made, 1), (smeared, 7), ("labels", 0)):
        (tmp_path / folder).mkdir(parents=True)
        for seed in range(4):
            picture = nuclei_picture(128, 160, 8, seed + (10 if folder == made else 0))
            shown = picture > 60 if not blur else np.mean([np.roll(picture, step, 1) for step in range(blur)], 0)
            (tmp_path / folder / f"{seed}.png").write_bytes(encode_png(np.asarray(shown, np.uint8)))
    folders = (tmp_path / "real", tmp_path / made, "--against", tmp_path / smeared, "--labels", tmp_path / "labels")
    done = cli("evaluate", *folders, "--out", tmp_path / "o", "--json")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert json.loads(done.stdout)["metrics"] == metrics
    assert [candidate["name"] for candidate in metrics["candidates"]] == [made, smeared]
    assert (tmp_path / "o" / "report.html").read_text().startswith("<!doctype html>")
    assert len((tmp_path / "o" / "metrics.csv").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("real", "absent"), "expected a folder of images"),
        (("real", "empty"), "found none"),
        (("real", "real", "--labels", "empty"), "expected masks of '1' in"),
    ],
)
def test_folders_that_cannot_be_evaluated_are_refused(
    cli: Cli, image: Path, tmp_path: Path, folders: tuple[str, ...], message: str
) -> None:
    for name in ("real", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "real" / "1.png").write_bytes(image.read_bytes())
    given = [name if name.startswith("--") else tmp_path / name for name in folders]
    done = cli("evaluate", *given, "--out", tmp_path / "o")
    assert done.returncode == 3
    assert message in done.stderr


def test_run_twice_gives_the_same_bytes_and_does_no_work_twice(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("run", image, "--out", tmp_path / "a").returncode == 0
    assert cli("run", image, "--out", tmp_path / "b").returncode == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    stages = json.loads((tmp_path / "b" / "run.json").read_text())["stages"]
    assert [stage["cached"] for stage in stages] == [False, True, True, True]


def test_results_of_another_image_are_replaced_with_a_word_of_it(cli: Cli, image: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other.png").write_bytes(encode_png(nuclei_picture(seed=5)))
    for path, said in ((image, False), (image, False), (other, True)):
        done = cli("run", path, "--until", "segment", "--out", tmp_path / "a")
        assert done.returncode == 0
        assert ("held results of another image, nuclei.png; they are replaced" in done.stderr) is said


def test_ctrl_c_while_libraries_are_read_ends_quietly(cli: Cli) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "services.cli", "info"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=cli.environment) as process:
        assert process.stderr is not None
        read = next(line for line in process.stderr if "numpy" in line)  # of those that take longest
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert read and process.returncode == 130
    assert "Traceback" not in rest


def test_run_in_two_empty_stores_gives_the_same_bytes(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("run", image, "--out", tmp_path / "a").returncode == 0
    assert Cli(tmp_path / "other")("run", image, "--out", tmp_path / "b").returncode == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_runs_killed_ten_times_leave_nothing_torn_and_the_next_one_completes(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    generator, store, out = random.Random(0), tmp_path / "cache" / "biosynth" / "store", tmp_path / "out"
    for attempt in range(10):
        process = cli.start("run", image, "--out", out, "--seed", attempt)  # a new seed: new work for the last stage
        wait_for_change(store, process)
        time.sleep(generator.uniform(0, 0.25))
        process.kill()
        process.wait()
        check_store(FolderStore(store))
        check_pictures(out)
    assert cli("run", image, "--out", out).returncode == 0
    assert Cli(tmp_path / "other")("run", image, "--out", tmp_path / "fresh").returncode == 0
    assert hashes(out) == hashes(tmp_path / "fresh")


def wait_for_change(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a file below the folder comes or goes: the run is at work on the store."""
    before = {path.name for path in folder.rglob("*") if path.is_file()}
    while process.poll() is None and {path.name for path in folder.rglob("*") if path.is_file()} == before:
        time.sleep(0.005)


def check_store(store: FolderStore) -> None:
    """Every record names files that are there and are what it says."""
    for key in store.list("results/"):
        if key.endswith("/result.json"):
            for name, file in json.loads(store.get(key, 10**6))["files"].items():
                found = store.head(f"{key.removesuffix('result.json')}{name}")
                assert found is not None and found.sha256 == file["sha256"]


def check_pictures(out: Path) -> None:
    """Pictures under their final names are whole, and a run.json has the hashes of the files beside it."""
    for path in out.glob("[!.]*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    if (out / "run.json").is_file():
        assert json.loads((out / "run.json").read_text())["outputs"] == hashes(out)


def test_segment_takes_a_folder_and_names_what_failed(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode_png(nuclei_picture(seed=1)))
    (folder / "b.png").write_bytes(encode_png(scratch_picture()))
    (folder / "bad.png").write_bytes(b"not an image")
    done = cli("segment", folder, "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "1 of 3 images failed" in done.stderr and "bad.png" in done.stderr
    assert decode_segmentation((tmp_path / "out" / "a.ome.tif").read_bytes()).parts == ("nuclei",)
    assert decode_segmentation((tmp_path / "out" / "b.ome.tif").read_bytes()).parts == ("cells", "wound")
    for stem in ("a", "b"):
        objects = ObjectTable.of((tmp_path / "out" / f"{stem}.objects.csv").read_bytes())
        assert len(objects) > 5
        assert (tmp_path / "out" / f"{stem}.objects.png").read_bytes().endswith(b"IEND\xaeB`\x82")


def test_render_and_generate_go_on_from_files(cli: Cli, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli("segment", image, "--out", out).returncode == 0
    drawn = cli("render", out / "nuclei.ome.tif", "--schema", "nuclei3", "--size", "96x128", "--out", out)
    assert drawn.returncode == 0, drawn.stderr
    reference = out / "nuclei.reference.png"
    assert decode_image(reference.read_bytes()).shape == (96, 128)
    asked = ("--model", "fluo-nuclei", "--appearance", "noise=0", "--tiling", "concat", "--json")
    made = cli("generate", reference, *asked, "--out", out / "g.png")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["tiling"] == "concat"
    assert decode_image((out / "g.png").read_bytes()).shape == (96, 128)


def test_info_and_models_answer_in_words_and_in_json(cli: Cli) -> None:
    assert "GPU" in cli("info").stdout
    assert set(json.loads(cli("info", "--json").stdout)["models"]) >= {"fluo-nuclei", "phase-scratch"}
    assert "fluo-nuclei" in cli("models").stdout
    assert "How it looks" in cli("models", "fluo-nuclei").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "absent.png", "--out", "o"), 3, "absent.png"),
        (("run", "{image}", "--out", "o", "--model", "nope"), 3, "expected a model among"),
        (("segment", "{image}", "--out", "o", "--segmenter", "nope"), 3, "expected a segmenter among"),
        (("render", "{image}", "--out", "o", "--schema", "nuclei3"), 3, "expected"),
        (("run", "{image}", "--out", "o", "--endpoint", "127.0.0.1:9"), 4, ""),
        (("run", "{image}"), 2, "--out"),
        (("nonsense",), 2, "invalid choice"),
    ],
)
def test_errors_have_an_exit_code_and_a_plain_line(
    cli: Cli, image: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    filled = [str(tmp_path / part) if part == "o" else part.format(image=image) for part in arguments]
    done = cli(*filled)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from Linux's /proc")
def test_a_bomb_is_refused_in_little_memory(cli: Cli, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_bomb())
    # Not getrusage: its peak is inherited from the process that starts this one.
    code = "import os, sys; from services.cli.__main__ import main; from tests.support.processes import resident\n"
    code += "try: main(sys.argv[1:])\nfinally: print(resident(os.getpid(), peak=True))"
    command = [sys.executable, "-c", code, "run", str(bomb), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=cli.environment, check=False)
    assert done.returncode == 3
    assert "pixels" in done.stderr
    assert int(done.stdout.split()[-1]) < 1_000_000_000
    assert not list((tmp_path / "out").glob("*"))


@pytest.fixture
def served(cli: Cli, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """`biosynth serve` with a token: its address, and the token's file."""
    token = tmp_path / "token"
    token.write_text("a-token-for-a-test")
    port = free_ports(1)[0]
    environment = {**cli.environment, "BIOSYNTH_TOKEN_FILE": str(token)}
    command = [sys.executable, "-m", "services.cli", "serve", "--address", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if '"serving"' in line and str(port) in line:
                break
        yield f"127.0.0.1:{port}", token
        server.terminate()
        assert server.wait(20) == 0


def test_run_on_a_served_endpoint_gives_what_the_embedded_one_gives(
    cli: Cli, served: tuple[str, Path], image: Path, tmp_path: Path
) -> None:
    address, token = served
    assert cli("run", image, "--out", tmp_path / "here").returncode == 0
    refused = cli("run", image, "--out", tmp_path / "there", "--endpoint", address)
    assert refused.returncode == 3
    assert "authorization" in refused.stderr
    cli.environment["BIOSYNTH_ENDPOINT_TOKEN_FILE"] = str(token)
    done = cli("run", image, "--out", tmp_path / "there", "--endpoint", address)
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "here") == hashes(tmp_path / "there")


def test_no_command_overwrites_its_input(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("segment", image, "--out", tmp_path).returncode == 0
    found = tmp_path / "nuclei.ome.tif"
    before = found.read_bytes()
    for arguments in (
        ("segment", found, "--out", tmp_path),
        ("combine", "--nuclei", found, "--out", found),
    ):
        refused = cli(*arguments)
        assert refused.returncode == 3
        assert "is an input" in refused.stderr or "overwritten" in refused.stderr
    assert found.read_bytes() == before


def test_label_maps_from_elsewhere_are_combined_and_rendered_under_the_original_schemas(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    cells = np.zeros((192, 256), np.uint16)
    cells[:, :60] = np.arange(192 * 60).reshape(192, 60) // 600 + 1
    nuclei = np.where(np.arange(60) % 9 < 4, cells[:, :60], 0)
    (tmp_path / "cells.png").write_bytes(encode_png(cells))
    (tmp_path / "nuclei.tif.png").write_bytes(encode_png(np.pad(nuclei, ((0, 0), (0, 196))).astype(np.uint16)))
    whole = tmp_path / "whole.ome.tif"
    masks = ("--cells", tmp_path / "cells.png", "--nuclei", tmp_path / "nuclei.tif.png")
    combined = cli("combine", *masks, "--wound-zone", "--out", whole)
    assert combined.returncode == 0, combined.stderr
    assert decode_segmentation(whole.read_bytes()).parts == ("cells", "nuclei", "wound")
    for schema in ("levels4", "levels7"):
        drawn = cli("render", whole, "--schema", schema, "--image", image, "--out", tmp_path)
        assert drawn.returncode == 0, drawn.stderr
    assert re.search(r"tier limits \[[\d., ]+\]", drawn.stderr)
