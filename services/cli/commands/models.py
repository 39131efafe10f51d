"""`biosynth models`: the generators at hand."""

from __future__ import annotations

import argparse
from typing import Any

from biosynth.v1.generation_pb2 import GetModelRequest, ListModelsRequest, Model

from services.cli.console import Console
from services.cli.session import Session

HELP = "list the generators, or show one's card"
DESCRIPTION = """\
Without a name: every generator with the schema it draws from. With a name: its card (training data, measured figures,
how its images look). BIOSYNTH_MODELS=FOLDER adds models of your own, made by `biosynth train`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a model")


def execute(arguments: argparse.Namespace, session: Session, console: Console) -> dict[str, Any]:
    """Run the command; returns what --json prints."""
    if arguments.name:
        response = session.client.generation.GetModel(GetModelRequest(name=arguments.name))
        record = {**_record(response.model), "card": response.card}
        console.answer(record, response.card)
        return record
    models = session.client.generation.ListModels(ListModelsRequest()).models
    record = {"models": [_record(model) for model in models]}
    lines = [f"{model.name:<16}{model.version:<6}{model.schema_name:<10}{model.description}" for model in models]
    console.answer(record, "\n".join(lines) or "no models; train one with `biosynth train`")
    return record


def _record(model: Model) -> dict[str, Any]:
    return {field.name: value for field, value in model.ListFields()}
