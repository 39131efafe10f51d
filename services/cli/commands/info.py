"""`biosynth info`: is there a GPU, what can run here, where things are kept."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from importlib.util import find_spec
from typing import Any

from biosynth.v1.generation_pb2 import ListModelsRequest
from biosynth.v1.reference_pb2 import ListSchemasRequest
from biosynth.v1.segmentation_pb2 import ListSegmentersRequest

from services.cli.console import Console
from services.cli.session import Session, add_endpoint, open_session
from services.cli.versions import versions
from services.common.engines.cores import usable_cores
from services.common.engines.onnx_cpu import OnnxCpuEngine

CPU_ENGINE = f"{OnnxCpuEngine.name} {OnnxCpuEngine.precision}"
HELP = "show devices, engines, segmenters, schemas, models, store and versions"
DESCRIPTION = """\
Tells whether this machine has a GPU, which engines can run here, what can be asked for and where results are kept.
With --endpoint, segmenters, schemas and models are those of the deployed services."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    with open_session(os.environ, arguments.endpoint) as session:
        record = _record(session)
    console.answer(record, _text(record))


def _record(session: Session) -> dict[str, Any]:
    client, gpus = session.client, _gpus()
    segmenters = client.segmentation.ListSegmenters(ListSegmentersRequest()).segmenters
    schemas = client.reference.ListSchemas(ListSchemasRequest()).schemas
    models = client.generation.ListModels(ListModelsRequest()).models
    return {
        "services": session.place,
        "store": session.store_place,
        "cpu": {"machine": platform.machine(), "cores": usable_cores()},
        "gpus": gpus,
        "engines": [
            *(["torch-cuda float32 or bfloat16"] if gpus and find_spec("torch") else []),
            CPU_ENGINE,
            *(["openvino-cpu"] if find_spec("openvino") else []),
        ],
        "segmenters": {entry.name: list(entry.parts) for entry in segmenters},
        "schemas": {schema.name: list(schema.parts) for schema in schemas},
        "models": {model.name: model.schema_name for model in reversed(models)},  # the versions by default come first
        "versions": versions(),
    }


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine, asked of the driver's own tool, so that torch need not be installed."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.split("\n")[:-1]


def _text(record: dict[str, Any]) -> str:
    gpus = ", ".join(record["gpus"]) or "none found (no nvidia-smi, or it sees none); images are generated on the CPU"
    lines = [
        f"services    {record['services']}",
        f"store       {record['store']}",
        f"this CPU    {record['cpu']['cores']} usable cores, {record['cpu']['machine']}",
        f"this GPU    {gpus}",
        f"engines     {', '.join(record['engines'])}",
    ]
    for title in ("segmenters", "schemas"):
        entries = (f"{name} ({'+'.join(parts) or 'chooses'})" for name, parts in record[title].items())
        lines.append(f"{title:<12}{', '.join(entries)}")
    lines.append(
        f"models      {', '.join(f'{name} ({schema})' for name, schema in record['models'].items()) or 'none'}"
    )
    lines.append(f"versions    {', '.join(f'{name} {number}' for name, number in record['versions'].items())}")
    return "\n".join(lines)
