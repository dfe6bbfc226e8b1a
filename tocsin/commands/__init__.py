"""The commands of `tocsin`: a module each, with `arguments(parser)` and `run(options) -> exit code`."""

COMMANDS = (
    "demo",
    "run",
    "replay",
    "recognise",
    "inspect",
    "rules",
    "sketch",
    "check",
    "migrate",
    "detectors",
    "state",
    "quarantine",
    "forget",
    "exchange",
    "dashboards",
    "train",
    "evaluate",
    "version",
)
