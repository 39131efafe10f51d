"""`python -m tests.bench.gpu [--quick] [--device cpu] [--out FILE]`: patches of 256 px a second on a GPU, by batch.

Of the shipped generator, as the engine runs it and as public code runs networks (float32, eager, one at a time), and of
pix2pix's U-Net likewise. It needs the `training` extra. On the CPU it only shows that it runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from services.generation.conditions import plane_count
from services.generation.model import SHIPPED, ModelShelf
from services.generation.patches import PATCH_PX
from tests.bench.table import told

if TYPE_CHECKING:  # torch is imported only where it is there
    from tests.bench.patch_rates import Rate

MODEL, PIX2PIX = "fluo-nuclei", "pix2pix-unet256"
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
TARGET = 10_000  # patches a second on one H100
# Of dense bfloat16, in 10^12 operations a second, by what a device's name holds; NVIDIA's data sheets, SXM.
PEAKS = {"H100 80GB HBM3": 989, "H200": 989}
_SECONDS = 2.0  # for each figure


def figures(quick: bool = False, device: str = "cuda") -> list[dict[str, Any]]:
    """Rows of name, value, target and whether it is met. quick: a run each and a narrow U-Net; nothing is judged."""
    if (why := _lacking(device)) is not None:
        return [{"name": "generator on a GPU", "value": f"skipped: {why}", "target": None, "met": None}]
    name = _name_of(device)
    peak = None if quick else next((peak for word, peak in PEAKS.items() if word in name), None)
    ours, theirs = (list(_rates(network, quick, device)) for network in (MODEL, PIX2PIX))
    rows = [_row(network, rate, peak) for network, rates in ((MODEL, ours), (PIX2PIX, theirs)) for rate in rates]
    return [
        {"name": "device", "value": name, "target": None, "met": None},
        *rows,
        _engine(quick, device),
        _best(ours, theirs, judged=peak is not None),
    ]


def _lacking(device: str) -> str | None:
    if find_spec("torch") is None:
        return "no torch"
    import torch

    return "no GPU" if device != "cpu" and not torch.cuda.is_available() else None


def _name_of(device: str) -> str:
    import torch

    return f"{torch.cuda.get_device_name() if device != 'cpu' else 'CPU'}, torch {torch.__version__}"


def _rates(network: str, quick: bool, device: str) -> Iterator[Rate]:
    """The public way first, then ours by batch; with a graph and without where the engine would make one."""
    from services.generation.network import read_generator
    from services.training.generator.pix2pix import UNet, UNetConfig
    from tests.bench.patch_rates import GRAPHS, PLAIN, PUBLIC, fits_a_graph, measure

    planes, seconds = plane_count(3), 0.0 if quick else _SECONDS
    if network == MODEL:
        module = read_generator(ModelShelf(SHIPPED).get(MODEL).torch_weights())
    else:
        module = UNet(UNetConfig(planes, width=4) if quick else UNetConfig(planes))
    yield measure(module, planes, PUBLIC, 1, device, seconds)
    for batch in BATCHES[:2] if quick else BATCHES:
        yield measure(module, planes, PLAIN, batch, device, seconds)
        if device != "cpu" and fits_a_graph(batch):
            yield measure(module, planes, GRAPHS, batch, device, seconds)


def _row(network: str, rate: Rate, peak: int | None) -> dict[str, Any]:
    share = f", {rate.tera / peak:.1%} of {peak} (dense bfloat16)" if peak else ""
    memory = f", {rate.mib} MiB" if rate.mib is not None else ""
    return {
        "name": f"{network}, {rate.way.name}, batch {rate.batch}",
        "value": f"{rate.patches_s:,.1f} patches/s, {rate.tera:.2f} TFLOP/s{share}{memory}",
        "target": None,
        "met": None,
    }


def _engine(quick: bool, device: str) -> dict[str, Any]:
    """From arrays to arrays, transfers included, in the largest batch that the engine is given."""
    from services.common.engines.torch_cuda import TorchEngine
    from services.generation.network import read_generator
    from tests.bench.patch_rates import runs_per_second

    engine = TorchEngine(read_generator(ModelShelf(SHIPPED).get(MODEL).torch_weights()), "bfloat16", device)
    batch = 2 if quick else engine.batch_px // PATCH_PX**2
    planes = np.zeros((batch, plane_count(3), PATCH_PX, PATCH_PX), np.float32)
    rate = batch * runs_per_second(lambda: engine.run(planes), 0.0 if quick else _SECONDS, lambda: None)
    value = f"{rate:,.1f} patches/s from and to the host's memory"
    return {"name": f"{MODEL}, the engine in bfloat16, batch {batch}", "value": value, "target": None, "met": None}


def _best(ours: list[Rate], theirs: list[Rate], judged: bool) -> dict[str, Any]:
    best, public, pix2pix = max(ours, key=lambda rate: rate.patches_s), ours[0], theirs[0]
    return {
        "name": f"{MODEL} at its best, on one GPU",
        "value": f"{best.patches_s:,.1f} patches/s ({best.way.name}, batch {best.batch}): "
        f"{best.patches_s / public.patches_s:.1f} times the same in {public.way.name}, one at a time; "
        f"{best.patches_s / pix2pix.patches_s:.1f} times {PIX2PIX} so",
        "target": f">= {TARGET:,} patches/s" if judged else None,
        "met": best.patches_s >= TARGET if judged else None,
    }


def main() -> None:
    """Print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a run each, to see that it runs")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--out", type=Path, help="write the rows here, as JSON")
    options = parser.parse_args()
    rows = figures(options.quick, options.device)
    for row in rows:
        print(told(row))
    if options.out:
        options.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
