"""`biosynth models`: the generators at hand."""

from __future__ import annotations

import argparse
import os
from typing import Any

from biosynth.v1.generation_pb2 import GetModelRequest, ListModelsRequest, Model

from services.cli.console import Console
from services.cli.session import add_endpoint, open_session

HELP = "list the generators, or show one's card"
DESCRIPTION = """\
Without a name: every generator with the schema it draws from. With a name: its card (training data, measured figures,
how its images look). BIOSYNTH_MODELS=FOLDER adds models of your own, made by `biosynth train`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME[/VERSION]", help="a model")
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    with open_session(os.environ, arguments.endpoint) as session:
        if arguments.name:
            name, _, version = arguments.name.partition("/")
            response = session.client.generation.GetModel(GetModelRequest(name=name, version=version))
            console.answer({**_record(response.model), "card": response.card}, response.card)
            return
        models = session.client.generation.ListModels(ListModelsRequest()).models
    lines = [f"{model.name:<16}{model.version:<6}{model.schema_name:<10}{model.description}" for model in models]
    text = "\n".join(lines) or "no models; train one with `biosynth train`"
    console.answer({"models": [_record(model) for model in models]}, text)


def _record(model: Model) -> dict[str, Any]:
    return {field.name: value for field, value in model.ListFields()}
