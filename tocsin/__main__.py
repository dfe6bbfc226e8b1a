"""The command line, and the only place where an error becomes an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from tocsin import registry
from tocsin.commands import COMMANDS
from tocsin.commands.terminal import warn
from tocsin.contracts import ConfigError, TocsinError
from tocsin.exits import EXITS, INTERNAL, INTERRUPTED, code_of


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    exits = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXITS.items())
    top = argparse.ArgumentParser(
        prog="tocsin",
        description="Streaming anomaly detection for LLM calls and AI agents.",
        epilog=f"exit codes:\n{exits}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"tocsin.commands.{name}")
        said = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name,
            help=said.split("\n")[0],
            description=said,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(command)
        command.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        if strangers := registry.guard():
            raise ConfigError(strangers)
        return int(options.run(options))
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigError as error:
        for mistake in error.mistakes:
            warn(mistake)
        return code_of(error)
    except TocsinError as error:
        warn(str(error))
        return code_of(error)
    except Exception as error:  # what it says may quote input, so only where it happened is told
        warn(f"a mistake in Tocsin: {type(error).__name__}")
        sys.stderr.writelines(traceback.format_tb(error.__traceback__))
        return INTERNAL


if __name__ == "__main__":
    sys.exit(main())
