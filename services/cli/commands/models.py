"""`biosynth models`: the generators at hand."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from biosynth.v1.generation_pb2 import GetModelRequest, ListModelsRequest, Model

from services.cli.bioimageio.package import package
from services.cli.console import Console
from services.cli.files import check_folder
from services.cli.model_names import model_name
from services.cli.session import add_endpoint, open_session
from services.common.errors import ConfigError
from services.common.whole_files import write_file
from services.generation.config import GenerationConfig
from services.generation.model import SHIPPED, ModelShelf

_DEVELOPERS = "The biosynth developers"  # as in CITATION.cff

HELP = "list the generators, or show one's card"
DESCRIPTION = """\
Without a name: every generator with the schema it draws from. With a name: its card (training data, measured figures,
how its images look). BIOSYNTH_MODELS=FOLDER adds models of your own, made by `biosynth train`.

  biosynth models fluo-nuclei --bioimageio fluo-nuclei.zip                 # for programs that run BioImage.IO models
  biosynth models my-cells --bioimageio my-cells.zip --author 'A. Person'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", type=model_name, nargs="?", metavar="NAME[/VERSION]", help="a model")
    parser.add_argument(
        "--bioimageio",
        type=Path,
        metavar="OUT.zip",
        help="write the model as a BioImage.IO package: description, ONNX weights, test input and output, card",
    )
    parser.add_argument(
        "--author", action="append", metavar="NAME", help="who made it, in the package; several times for several"
    )
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    if arguments.bioimageio:
        console.answer(_package(arguments), f"wrote {arguments.bioimageio}")
        return
    if arguments.author:
        raise ConfigError("expected --author with --bioimageio: it is for packages")
    with open_session(os.environ, arguments.endpoint) as session:
        if arguments.name:
            name, version = arguments.name
            response = session.client.generation.GetModel(GetModelRequest(name=name, version=version))
            console.answer({**_record(response.model), "card": response.card}, response.card)
            return
        models = session.client.generation.ListModels(ListModelsRequest()).models
    lines = [f"{model.name:<16}{model.version:<6}{model.schema_name:<10}{model.description}" for model in models]
    text = "\n".join(lines) or "no models; train one with `biosynth train`"
    console.answer({"models": [_record(model) for model in models]}, text)


def _package(arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.name or arguments.endpoint:
        raise ConfigError(
            "expected a model's NAME with --bioimageio, and no --endpoint: packages are made of the shipped models and "
            "of those in the folders of BIOSYNTH_MODELS"
        )
    name, version = arguments.name
    stored = ModelShelf(*GenerationConfig.from_env(os.environ).model_folders).get(name, version)
    authors = arguments.author or ([_DEVELOPERS] if stored.folder.is_relative_to(SHIPPED) else [])
    if not authors:
        raise ConfigError(f"expected --author NAME for {name}, which is no shipped model: who made it")
    check_folder(arguments.bioimageio.parent)
    write_file(arguments.bioimageio, package(stored, authors))
    described = stored.description
    return {"model": described.name, "version": described.version, "package": str(arguments.bioimageio)}


def _record(model: Model) -> dict[str, Any]:
    return {field.name: value for field, value in model.ListFields()}
