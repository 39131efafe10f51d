"""`biosynth compare`: how close one generated image comes to the real one, pixel by pixel."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from biosynth.results import word
from biosynth.v1.evaluation_pb2 import ComparePairRequest, Direction, Metric

from services.cli.console import Console
from services.cli.images.reading import read_image
from services.cli.images.wish import add_wish, wish_of
from services.cli.session import add_endpoint, open_session

HELP = "compare a generated image with the real one: PSNR, SSIM and seven more"
DESCRIPTION = """\
Prints the paired metrics of two images of one size and bit depth (docs/method.md defines them). They say whether the
two have the same pixels, and reward blur: the right texture in other places scores worse than a smooth picture.
Whether sets of images are alike, `biosynth evaluate` tells."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("real", type=Path, metavar="REAL", help="the real image")
    parser.add_argument("generated", type=Path, metavar="GENERATED", help="the generated image")
    add_wish(parser.add_argument_group("which plane of REAL"))
    add_wish(parser.add_argument_group("which plane of GENERATED"), of="generated")
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    real = read_image(arguments.real, wish_of(arguments))
    generated = read_image(arguments.generated, wish_of(arguments, of="generated"), of="generated")
    for image in (real, generated):
        for note in image.notes:
            console.say(f"{image.record['name']}: {note}")
    with open_session(os.environ, arguments.endpoint) as session:
        request = ComparePairRequest(
            real=session.content(real.plane()),
            generated=session.content(generated.plane()),
        )
        response = session.client.evaluation.ComparePair(request)
    record = {
        "version": response.version,
        "metrics": {metric.name: metric_record(metric) for metric in response.metrics},
    }
    console.answer(record, "\n".join(_line(metric) for metric in response.metrics))


def metric_record(metric: Metric) -> dict[str, Any]:
    """A metric as JSON has it; the value is null, with the reason beside it, where there is none."""
    return {
        "value": metric.value if metric.HasField("value") else None,
        "unit": metric.unit,
        "direction": word(Direction, metric.direction).replace("_", "-"),
        "unavailable": metric.unavailable,
    }


def _line(metric: Metric) -> str:
    value = f"{metric.value:.4g} {metric.unit}".rstrip() if metric.HasField("value") else f"- ({metric.unavailable})"
    better = {"lower": "lower is better", "higher": "higher is better"}.get(word(Direction, metric.direction), "")
    return f"{metric.name:<28}{value:<30}{better}"
