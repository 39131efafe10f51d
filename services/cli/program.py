"""The `biosynth` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from biosynth.errors import BiosynthCallError, InvalidInputError

from services.cli.command import Command
from services.cli.commands import (
    check_tool,
    combine,
    compare,
    dataset,
    evaluate,
    generate,
    info,
    models,
    push,
    quality,
    render,
    run,
    segment,
    serve,
    synthesize,
    train,
    utility,
    wound,
)
from services.cli.console import Console
from services.cli.exits import INTERRUPTED, REFUSED, TERMINATED, exit_code
from services.cli.termination import Terminated, terminable
from services.cli.versions import versions
from services.common.errors import BiosynthError

DESCRIPTION = """\
Microscopy images to label maps, and label maps to realistic images with known truth.

  biosynth run IMAGE --out DIR        the whole way, one command; of a folder too
  biosynth synthesize --masks DIR     images by the hundred, with known truth
  biosynth info                       is there a GPU, what can be asked for
  biosynth serve                      the same services over gRPC, for other programs"""
EPILOG = """\
Work is done by services embedded in this process, with a folder as the store, unless --endpoint or BIOSYNTH_ENDPOINT
names deployed ones. Exit codes: 0 done, 1 a fault of ours, 2 wrong usage, 3 the input or a name was refused, or one of
several was, 4 a service or the store cannot be reached or is overloaded, 130 interrupted, 143 told to end (SIGTERM)."""
COMMANDS: dict[str, Command] = {
    "run": run,
    "segment": segment,
    "render": render,
    "generate": generate,
    "synthesize": synthesize,
    "models": models,
    "info": info,
    "compare": compare,
    "evaluate": evaluate,
    "check-tool": check_tool,
    "wound": wound,
    "combine": combine,
    "quality": quality,
    "dataset": dataset,
    "train": train,
    "utility": utility,
    "push": push,
    "serve": serve,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, run the command, and exit with its code."""
    arguments = _parser().parse_args(argv)
    arguments.typed = list(sys.argv[1:] if argv is None else argv)  # for what is to be typed again
    console = Console(arguments.json, arguments.quiet)
    try:
        with terminable():
            COMMANDS[arguments.command].execute(arguments, console)
    except (BiosynthError, BiosynthCallError, InvalidInputError) as error:
        console.warn(
            f"biosynth {arguments.command}: {error.message if not isinstance(error, InvalidInputError) else error}"
        )
        sys.exit(exit_code(error))
    except OSError as error:
        console.warn(f"biosynth {arguments.command}: {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        sys.exit(REFUSED)
    except KeyboardInterrupt as interrupt:
        console.warn("interrupted; what is in the store stays, and the same command goes on from there")
        sys.exit(TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="biosynth", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"biosynth {versions()['biosynth-services']}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name, help=module.HELP, description=module.DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
        command.add_argument("--quiet", action="store_true", help="no progress and no words on stderr, errors excepted")
    return parser
