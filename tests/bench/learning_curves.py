"""Each preset's generator as it learns, for equal CPU time: `python -m tests.bench.learning_curves DATASET --out DIR`.

Needs torch and BIOSYNTH_TEST_DATA, and hours; the same command goes on where it was. It writes
DIR/curves.json and DIR/curves.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from matplotlib.figure import Figure

from services.cli.console import Console
from services.generation.conditions import plane_count
from services.generation.roles import LevelRoles
from services.training.datasets.dataset import DatasetManifest, fingerprint, read_manifest
from services.training.generator.crops import Crops, Field, load_fields
from services.training.generator.presets import PRESETS
from services.training.generator.publish import Naming, publish
from services.training.generator.trainer import TrainConfig, Trainer
from services.training.loop import EXAMINATIONS, run

MARKS = (0.1, 0.25, 0.5, 1.0)  # shares of the training after which it is judged, each a multiple of an examination's
WARM_STEPS, TIMED_STEPS = 2, 6
SHOWN = {
    "discriminability": "AUC of boosted trees",
    "fidelity_mean_ap": "label fidelity, mean AP",
    "paired_spectrum_distance": "spectrum, each beside its own field",
}

# Makes fields that are trained on too of those that there are.
More: TypeAlias = Callable[[Sequence[Field], LevelRoles], Sequence[Field]]


def main() -> None:
    """Train each preset as many steps as fit the time, judge it at each mark, and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="made by `biosynth dataset`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=50.0, help="CPU minutes of each preset; default 50")
    parser.add_argument(
        "--preset", choices=PRESETS, help="this one alone, on a core of its own; curves come of them all"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    presets = [options.preset] if options.preset else list(PRESETS)
    rows = [
        {"preset": preset, **row}
        for preset in presets
        for row in curve(PRESETS[preset], MARKS, options.dataset, options.out / preset, options.minutes)
    ]
    if options.preset:
        return
    (options.out / "curves.json").write_text(json.dumps(rows, indent=1) + "\n")
    _draw(rows, options.out / "curves.png")


def curve(
    asked: TrainConfig,
    marks: Sequence[float],
    dataset: Path,
    work: Path,
    minutes: float,
    kind: type[Trainer] = Trainer,
    more: More = lambda _fields, _roles: (),
) -> list[dict[str, Any]]:
    """Train as many steps as fit the time, and say what each marked generator is judged to be.

    marks: shares of the training. work: where checkpoints, generators and reports lie; what is there is not done again.
    """
    manifest = read_manifest(dataset)
    fields = load_fields(dataset, manifest.needed("train"), manifest.roles)
    seen = [*fields, *more(fields, manifest.roles)]

    def trainer(steps: int) -> Trainer:
        config = replace(asked, steps=steps)
        random = np.random.default_rng(config.seed)
        crops = Crops(seen, manifest.roles.count, config.crop_px, random, config.jitter_px)
        return kind(config, plane_count(manifest.roles.count), crops, fingerprint(dataset))

    seconds = _seconds_a_step(work / "seconds-a-step.json", trainer)
    training = trainer(EXAMINATIONS * max(1, round(60 * minutes / seconds / EXAMINATIONS)))
    steps = [round(share * training.steps) for share in marks]

    def publish_marked() -> None:
        if training.step in steps:
            _publish(training, manifest, fields, work / f"step-{training.step}")

    run(training, work, Console(as_json=False, quiet=False), publish_marked)
    return [
        {"step": step, "cpu_minutes": step * seconds / 60, "figures": _judged(work / f"step-{step}")} for step in steps
    ]


def _seconds_a_step(told: Path, trainer: Callable[[int], Trainer]) -> float:
    """CPU seconds of a step, measured once: a training that goes on must have as many steps as before."""
    if not told.is_file():
        training = trainer(WARM_STEPS + TIMED_STEPS)
        for step in range(training.steps):
            if step == WARM_STEPS:
                begin = time.process_time()
            training.train_step()
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(json.dumps((time.process_time() - begin) / TIMED_STEPS))
    return float(json.loads(told.read_text()))


def _publish(training: Trainer, manifest: DatasetManifest, fields: Sequence[Field], folder: Path) -> None:
    naming = Naming("learning", str(training.step), f"After {training.step} of {training.steps} steps.")
    publish(training.average, naming, manifest, fields, {"steps": training.step}, folder)


def _judged(model: Path) -> dict[str, dict[str, float]]:
    """The figures of drawn and of measured looks, and those of real images; of few fields some are not judged."""
    report = model / "report" / "metrics.json"
    if not report.is_file():
        command = ("-m", "tests.bench.generation_quality", str(model), "--out", str(report.parent), "--no-cnn")
        subprocess.run([sys.executable, *command], check=True)
    drawn, measured = (
        {figure["name"]: figure for figure in candidate["sets"] if figure["name"] in SHOWN}
        for candidate in json.loads(report.read_text())["candidates"]
    )
    return {
        name: {"drawn": drawn[name]["value"], "measured": measured[name]["value"], "real": drawn[name]["ceiling"][0]}
        for name in SHOWN
        if drawn[name]["value"] is not None
    }


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A panel for each figure: measured looks as lines, drawn ones dashed, real images grey."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    names = list(rows[0]["figures"])
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for colour, preset in zip(("C0", "C1", "C2"), PRESETS, strict=True):
            own = [row for row in rows if row["preset"] == preset]
            minutes = [row["cpu_minutes"] for row in own]
            for look, line in (("measured", "-"), ("drawn", "--")):
                values = [row["figures"][name][look] for row in own]
                axes.plot(minutes, values, line, color=colour, marker="o", markersize=3, label=f"{preset}, {look}")
        axes.axhline(rows[0]["figures"][name]["real"], color="grey", linewidth=1)
        axes.set(title=SHOWN[name], xlabel="CPU minutes")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(PRESETS))
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
