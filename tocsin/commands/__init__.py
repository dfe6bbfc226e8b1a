"""The commands of `tocsin`: a module each, with `arguments(parser)` and `run(options) -> exit code`."""

COMMANDS = ("check", "migrate", "detectors", "state", "dashboards", "version")
