"""The `biosynth` command, which Ctrl-C ends quietly even while its libraries are read, which takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command of these arguments, by default the program's own."""
    try:
        from services.cli.program import main as command
    except KeyboardInterrupt:
        sys.exit(130)  # as services.cli.exits.INTERRUPTED, which need not have been read yet
    command(argv)


if __name__ == "__main__":
    main()
