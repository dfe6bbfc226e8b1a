"""Where rows go: databases, consoles and, later, the people and systems that act on alerts."""

from collections.abc import Mapping

BUILTIN: Mapping[str, str] = {
    "clickhouse": "sinks.clickhouse:ClickHouse",
    "console": "sinks.console:Console",
}
