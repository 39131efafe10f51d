"""`biosynth evaluate` and `compare` through a deployment: services in other processes, images in a real S3 store."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from services.common.imaging.images import encode_png
from tests.integration.cli.test_command_line import Cli
from tests.support import s3_servers
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.processes import serving

TOKEN = "a-token-for-a-test"  # noqa: S105 - for servers that live as long as a test


@dataclass(frozen=True)
class Deployed:
    """Where pipeline and evaluation answer at one address, with their metrics, and another evaluation alone."""

    address: str
    metrics_port: int
    evaluation: str
    token: Path

    def cli(self, folder: Path, **settings: str) -> Cli:
        """The command with the token and these settings."""
        cli = Cli(folder)
        cli.environment |= {"BIOSYNTH_ENDPOINT_TOKEN_FILE": str(self.token), "OMP_NUM_THREADS": "1", **settings}
        return cli


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN)
    ports = free_ports(3)
    address, evaluation = (f"127.0.0.1:{port}" for port in ports[:2])
    nobody = {f"BIOSYNTH_{name}_ENDPOINT": "127.0.0.1:9" for name in ("SEGMENTATION", "REFERENCE", "GENERATION")}
    with ExitStack() as started:
        store = started.enter_context(s3_servers.seaweedfs(tmp_path_factory.mktemp("weed")))
        common = {
            **Cli(tmp_path_factory.mktemp("servers")).environment,
            **nobody,
            **store.settings,
            "BIOSYNTH_TOKEN_FILE": str(token),
            "BIOSYNTH_DRAIN_SECONDS": "1",
            "OMP_NUM_THREADS": "1",
        }
        metrics = {"BIOSYNTH_METRICS_PORT": str(ports[2])}
        both = ["services.cli", "serve", "pipeline", "evaluation"]
        started.enter_context(serving(both, {**common, **metrics, "BIOSYNTH_ADDRESS": address}))
        started.enter_context(serving(["services.evaluation"], {**common, "BIOSYNTH_ADDRESS": evaluation}))
        yield Deployed(address, ports[2], evaluation, token)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders real, made and labels, of three images each."""
    root = tmp_path_factory.mktemp("images")
    for seed in range(3):
        picture = nuclei_picture(128, 160, 8, seed)
        shown = {"real": picture, "made": np.roll(picture, 2, 1), "labels": (picture > 60).astype(np.uint8)}
        for name, pixels in shown.items():
            (root / name).mkdir(exist_ok=True)
            (root / name / f"{seed}.png").write_bytes(encode_png(pixels))
    return root


def evaluate(cli: Cli, folders: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    given = (folders / "real", folders / "made", "--labels", folders / "labels")
    return cli("evaluate", *given, "--out", out, "--json", *options)


def test_evaluate_reaches_the_evaluation_and_the_store_by_one_address(
    deployed: Deployed, folders: Path, tmp_path: Path
) -> None:
    cli = deployed.cli(tmp_path, BIOSYNTH_ENDPOINT=deployed.address)
    done = evaluate(cli, folders, tmp_path / "there", "--model", "fluo-nuclei/2")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "report.html").read_text().startswith("<!doctype html>")
    here = evaluate(Cli(tmp_path), folders, tmp_path / "here")
    assert here.returncode == 0, here.stderr
    assert json.loads(done.stdout)["metrics"] == json.loads(here.stdout)["metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{deployed.metrics_port}/metrics", timeout=5) as response:
        metrics = response.read().decode()
    assert 'biosynth_evaluation_value{metric="spectrum_distance",model="fluo-nuclei",version="2"}' in metrics
    compared = cli("compare", folders / "real" / "0.png", folders / "made" / "0.png")
    assert compared.returncode == 0, compared.stderr


def test_the_evaluation_alone_compares_a_pair_and_says_what_sets_need(
    deployed: Deployed, folders: Path, tmp_path: Path
) -> None:
    cli = deployed.cli(tmp_path)
    pair = (folders / "real" / "0.png", folders / "made" / "0.png")
    compared = cli("compare", *pair, "--endpoint", deployed.evaluation)
    assert compared.returncode == 0, compared.stderr
    refused = evaluate(cli, folders, tmp_path / "o", "--endpoint", deployed.evaluation)
    assert refused.returncode == 3
    assert "expected the pipeline service at" in refused.stderr and "name the address of all services" in refused.stderr


def test_a_model_that_is_none_is_refused_before_anything_is_sent(folders: Path, tmp_path: Path) -> None:
    refused = evaluate(Cli(tmp_path), folders, tmp_path / "o", "--model", "Fluo", "--endpoint", "127.0.0.1:9")
    assert refused.returncode == 3
    assert "expected a model as name/version" in refused.stderr
