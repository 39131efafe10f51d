"""`python -m tests.bench [--quick] [--out FILE]`: what is said to be fast, timed beside what it replaces."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.table import is_met, table, told

# Each has bench() or bench(quick: bool), rows of name, ours_s, baseline_s, ratio, target, identical; note, if need be.
MODULES = ("tests.bench.rendering", "tests.bench.wound_zone", "tests.bench.paired")
# Each has figures(quick: bool), rows of name, value, target, met: what is said to be good, on real data where it is.
# Where it takes a folder as well, it writes pictures there, beside the JSON.
FIGURES = tuple(
    f"tests.bench.{name}"
    for name in (
        "generation_speed",
        "training_speed",
        "looks",
        "tilings",
        "load",
        "endurance",
        "memory",
        "refusals",
        "shards",
        "faults",
        "gpu",
    )
)


def main() -> int:
    """Run every module; 0 where all results are identical and, unless quick, all targets are met; else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the machine's data and the rows here, as JSON")
    parser.add_argument("--quick", action="store_true", help="small images, to see that it runs; no target is judged")
    options = parser.parse_args()
    # All imports come first: a module that is missing stops the run before minutes have been spent.
    modules, judged = ([importlib.import_module(name) for name in names] for names in (MODULES, FIGURES))
    rows: list[dict[str, Any]] = []
    for module in modules:
        print(f"running {module.__name__} ...", file=sys.stderr, flush=True)
        takes_quick = "quick" in inspect.signature(module.bench).parameters
        rows += module.bench(quick=options.quick) if takes_quick else module.bench()
    if options.quick:
        rows = [{**row, "target": None} for row in rows]
    print(table(rows))
    folder = options.out.parent if options.out else None
    figures = [row for module in judged for row in _figures(module, options.quick, folder)]
    for row in figures:
        print(told(row))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        report = {"quick": options.quick, "machine": machine(), "rows": rows, "figures": figures}
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["identical"] and is_met(row) for row in rows) else 1


def _figures(module: ModuleType, quick: bool, folder: Path | None) -> list[dict[str, Any]]:
    takes_folder = "folder" in inspect.signature(module.figures).parameters
    rows: list[dict[str, Any]] = module.figures(quick, folder) if takes_folder else module.figures(quick)
    return rows


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpus": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("numpy", "opencv-python-headless", "scipy")},
    }


if __name__ == "__main__":
    sys.exit(main())
