"""What a command is: a module of services/cli/commands that has these."""

from __future__ import annotations

import argparse
from typing import Protocol

from services.cli.console import Console


class Command(Protocol):
    """One word after `biosynth`."""

    HELP: str  # a line for the list of commands
    DESCRIPTION: str  # what `biosynth COMMAND --help` begins with

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def execute(self, arguments: argparse.Namespace, console: Console) -> None:
        """Do the work and give the answer to the console. Raises what main() turns into a message and an exit code."""
