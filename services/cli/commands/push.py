"""`biosynth push`: models into a deployment's store."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from services.cli.console import Console
from services.common.serving.waiting import wait_until
from services.common.settings import Settings
from services.common.storage.config import StoreConfig
from services.common.storage.stores import open_store
from services.generation.model import DESCRIPTION as MODEL_FILE
from services.generation.model import SHIPPED, StoredModel, read_model
from services.generation.repository import newest_versions, push_model

HELP = "put models into the store, where deployed generators find them"
DESCRIPTION = f"""\
Puts the shipped models, or those of the folders named (each with {MODEL_FILE}, as `biosynth train` makes it), under
models/NAME/VERSION/ of the store that BIOSYNTH_STORE_* name (docs/settings.md). Generators with
BIOSYNTH_MODELS_FROM=store take the newest version of each when they start. A version never changes: pushing it again
does nothing where it is the same, and is refused where it is not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="default: the shipped models")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises ConfigError or StoreUnavailable."""
    config = StoreConfig.from_env(os.environ)
    store = open_store(config)
    # In a deployment, another Job may still be making the store's users.
    seconds = Settings(os.environ).number("BIOSYNTH_START_WAIT_SECONDS", 0.0, 0, 3600)
    folders = arguments.folders or sorted(path.parent for path in SHIPPED.glob(f"*/{MODEL_FILE}"))
    models = [read_model(folder) for folder in folders]
    console.say(f"pushing {len(models)} models to {config.place}")
    wait_until(lambda: next(newest_versions(store), None), seconds)  # for the store alone, not for a refused model
    for model in models:
        push_model(store, model)
        console.say(f"{model.description.name} {model.description.version} is in the store")
    console.answer({"models": [_record(model) for model in models]})


def _record(model: StoredModel) -> dict[str, Any]:
    return {name: getattr(model.description, name) for name in ("name", "version", "sha256")}
