"""The `biosynth` command as a user runs it: in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.common.images import decode_image, encode_png
from services.common.ometiff import decode_segmentation
from tests.integration.services.test_bad_inputs import png_bomb
from tests.pictures import nuclei_picture, scratch_picture

PICTURES = ("segmentation.ome.tif", "reference.png", "reference_grey.png", "generated.png", "overview.png")


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
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page and 'src="data:' in page


def test_run_twice_gives_the_same_bytes_and_does_no_work_twice(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("run", image, "--out", tmp_path / "a").returncode == 0
    assert cli("run", image, "--out", tmp_path / "b").returncode == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    stages = json.loads((tmp_path / "b" / "run.json").read_text())["stages"]
    assert [stage["cached"] for stage in stages] == [True, True, True]


def test_run_in_two_empty_stores_gives_the_same_bytes(cli: Cli, image: Path, tmp_path: Path) -> None:
    assert cli("run", image, "--out", tmp_path / "a").returncode == 0
    assert Cli(tmp_path / "other")("run", image, "--out", tmp_path / "b").returncode == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_a_killed_run_leaves_nothing_torn_and_the_next_one_completes(cli: Cli, image: Path, tmp_path: Path) -> None:
    for attempt in range(3):
        process = cli.start("run", image, "--out", tmp_path / "out")
        time.sleep(1.2 + 0.3 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "out").glob("[!.]*.png"):
            decode_image(path.read_bytes()) if path.name != "overview.png" else path.read_bytes().index(b"IEND")
    assert cli("run", image, "--out", tmp_path / "out").returncode == 0
    assert Cli(tmp_path / "other")("run", image, "--out", tmp_path / "fresh").returncode == 0
    assert hashes(tmp_path / "out") == hashes(tmp_path / "fresh")


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


def test_render_and_generate_go_on_from_files(cli: Cli, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli("segment", image, "--out", out).returncode == 0
    drawn = cli("render", out / "nuclei.ome.tif", "--schema", "nuclei3", "--size", "96x128", "--out", out)
    assert drawn.returncode == 0, drawn.stderr
    reference = out / "nuclei.reference.png"
    assert decode_image(reference.read_bytes()).shape == (96, 128)
    made = cli("generate", reference, "--model", "fluo-nuclei", "--out", out / "g.png", "--appearance", "noise=0")
    assert made.returncode == 0, made.stderr
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


def test_a_bomb_is_refused_in_little_memory(cli: Cli, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_bomb())
    code = "import resource, sys; from services.cli.__main__ import main\n"
    code += "try: main(sys.argv[1:])\nfinally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    command = [sys.executable, "-c", code, "run", str(bomb), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=cli.environment, check=False)
    assert done.returncode == 3
    assert "pixels" in done.stderr
    assert int(done.stdout.split()[-1]) < 1_000_000  # KiB on Linux
    assert not list((tmp_path / "out").glob("*"))
