"""How rows become columns: the tables that are written to, one entry per column.

A batch is read column by column, because that is what the wire and the engine want.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sinks.clickhouse_values import CLEAN, Values
from tocsin.model import Event, Message, Signals, TextSignal

Rows = Sequence[Any]

LOW, TEXT, FLAG = "LowCardinality(String)", "String", "Bool"
REAL, COUNT, MAYBE = "Nullable(Float64)", "UInt32", "Nullable(UInt32)"
MILLI, WORDS = "DateTime64(3, 'UTC')", "Array(LowCardinality(String))"

# What the engine fills in for a column that an insert leaves out; text where nothing is said here.
DEFAULTS: Mapping[str, Any] = {
    **{"Nullable": None, "UInt32": 0, "UInt64": 0, "DateTime64": 0, "Bool": False, "Array": (), "Map": {}}
}
CHUNK = 256  # rows whose columns are read together, while they are in the processor's cache


class Column(NamedTuple):
    """One column: its name and type in the table, and how it is read from rows and their signals."""

    name: str
    type: str
    read: Callable[[Rows, Sequence[Signals]], Iterable[Any]] | None = None
    attribute: str = ""  # of a row, where no more has to be read

    @property
    def wire(self) -> str:
        """The type it travels as: the engine builds dictionaries at a fraction of Python's cost."""
        return self.type.replace(LOW, TEXT)


class Table(NamedTuple):
    """One table that rows are written to; `day` tells its partitions apart."""

    name: str
    columns: tuple[Column, ...]
    day: Callable[[Any], float]

    def data(self, rows: Rows, signals: Sequence[Signals] = ()) -> tuple[list[Column], list[Values]]:
        """The rows as clean columns; leaves out those that say nothing, which is half of them.

        The table's defaults stand for what is left out, so nothing is lost with it.
        """
        fills = [_Fill(column) for column in self.columns]
        attributes = attrgetter(*[column.attribute for column in self.columns if column.attribute])
        for start in range(0, len(rows), CHUNK):
            part, beside = rows[start : start + CHUNK], signals[start : start + CHUNK]
            plain = zip(*map(attributes, part), strict=True)
            for fill in fills:
                read = fill.column.read
                fill.add(list(read(part, beside) if read else next(plain)))
        told = [fill for fill in fills if fill.told] or fills[:1]
        return [fill.column for fill in told], [fill.values for fill in told]


class _Fill:
    """A column on its way: as long as it holds defaults only, it costs next to nothing."""

    __slots__ = ("clean", "column", "default", "told", "values")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.clean = CLEAN[column.type]
        self.default = DEFAULTS.get(column.type.partition("(")[0], "")
        self.values: Values = []
        self.told = False

    def add(self, values: Values) -> None:
        if values[0] == self.default and values.count(self.default) == len(values):
            self.values += [self.default] * len(values)
        else:
            self.told = True
            self.values += self.clean(values)


def _of(name: str, kind: str) -> Column:
    return Column(name, kind, attribute=name)


def _signal(name: str, kind: str) -> Column:
    get = attrgetter(name)
    return Column(name, kind, lambda rows, signals: map(get, signals))


def _told(name: str, words: Callable[[TextSignal], Iterable[str]]) -> Column:
    """Words that the texts of an event have, each once."""

    def read(rows: Rows, signals: Sequence[Signals]) -> Iterable[Sequence[str]]:
        return [
            tuple(dict.fromkeys(word for text in s.texts for word in words(text))) if s.texts else ()
            for s in signals
        ]

    return Column(name, WORDS, read)


def _number_of(name: str, attribute: str) -> Column:
    get = attrgetter(attribute)
    return Column(name, "UInt32", lambda rows, signals: map(len, map(get, rows)))


def _new_messages(rows: Rows, signals: Sequence[Signals]) -> Iterable[int]:
    return [len(s.new_input) + len(s.new_output) for s in signals]


def _input_excerpt(rows: Sequence[Event], signals: Sequence[Signals]) -> Iterable[str]:
    return [_said(e.input, s.new_input) if e.input else "" for e, s in zip(rows, signals, strict=True)]


def _output_excerpt(rows: Sequence[Event], signals: Sequence[Signals]) -> Iterable[str]:
    return [_said(e.output, s.new_output) if e.output else "" for e, s in zip(rows, signals, strict=True)]


def _said(messages: tuple[Message, ...], new: tuple[int, ...]) -> str:
    """What is new of a conversation, a line for each message; empty where no text was left in it."""
    told = [messages[index] for index in new if index < len(messages)]
    lines = [_line(message) for message in told if message.text or message.tool_calls]
    return "\n".join(filter(None, lines))


def _line(message: Message) -> str:
    calls = [f"[{call.name} {call.arguments}]" for call in message.tool_calls if call.arguments]
    said = " ".join(filter(None, (message.text, *calls)))
    return f"{message.role}: {said}" if said else ""


def _low(*names: str) -> tuple[Column, ...]:
    return tuple(_of(name, LOW) for name in names)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(_of(name, TEXT) for name in names)


POSITION = (
    _of("log_id", LOW),
    _of("log_partition", COUNT),
    _of("log_offset", "UInt64"),
    _of("log_index", COUNT),
    _of("arrival", MILLI),
)
SOURCE = (
    _of("source", LOW),
    _of("source_partition", COUNT),
    _of("source_offset", "UInt64"),
    _of("source_index", COUNT),
)

EVENTS = Table(
    "events",
    (
        *_text("id"),
        *POSITION,
        *SOURCE,
        *_low("source_format"),
        _of("duplicate", FLAG),
        _of("backfill", FLAG),
        *_low("kind", "operation"),
        _of("time", "DateTime64(6, 'UTC')"),
        _of("original_time", REAL),
        _of("duration_ms", REAL),
        _of("first_token_ms", REAL),
        *_low("tenant", "application", "service", "service_version", "environment", "agent", "agent_id"),
        *_text("session", "user"),
        *_low("api_key"),
        *_text("client_ip"),
        *_low("user_agent"),
        *_text("trace_id", "span_id", "parent_span_id"),
        *_low("provider", "model", "response_model"),
        *_text("response_id"),
        _of("input_tokens", MAYBE),
        _of("output_tokens", MAYBE),
        _of("cache_read_tokens", MAYBE),
        _of("cache_write_tokens", MAYBE),
        _of("reasoning_tokens", MAYBE),
        _of("cost_usd", REAL),
        *_low("cost_source"),
        _of("stream", "Nullable(Bool)"),
        *_low("finish_reason", "status", "error_type"),
        *_text("error_message"),
        _of("http_status", "Nullable(UInt16)"),
        *_low("tool_name", "tool_type", "tool_server"),
        *_text("tool_call_id"),
        *_low("tool_decision"),
        _number_of("input_messages", "input"),
        _number_of("output_messages", "output"),
        Column("new_messages", COUNT, _new_messages),
        _number_of("offered_tools", "tool_definitions"),
        _number_of("documents", "documents"),
        _signal("input_length", COUNT),
        _signal("output_length", COUNT),
        _signal("arguments_length", COUNT),
        _signal("result_length", COUNT),
        _signal("input_digest", TEXT),
        _signal("output_digest", TEXT),
        _signal("refusal", FLAG),
        Column("score", REAL, lambda rows, signals: [s.score if s.texts else None for s in signals]),
        _told("rules", lambda text: [hit.rule for hit in text.rules]),
        _told("findings", lambda text: [kind for kind, _ in text.findings]),
        _told("canaries", attrgetter("canaries")),
        _of("content_available", FLAG),
        _of("truncated", FLAG),
        _of("compacted", FLAG),
        Column("input_excerpt", TEXT, _input_excerpt),
        Column("output_excerpt", TEXT, _output_excerpt),
        Column("arguments_excerpt", TEXT, lambda rows, signals: [row.tool_arguments or "" for row in rows]),
        Column("result_excerpt", TEXT, lambda rows, signals: [row.tool_result or "" for row in rows]),
        *_low("evaluation_name"),
        _of("evaluation_score", REAL),
        *_low("evaluation_label", "guardrail_name", "guardrail_status"),
        _of("guardrail_score", REAL),
        _of("invalid_fields", WORDS),
        _of("attributes", "Map(LowCardinality(String), String)"),
    ),
    attrgetter("arrival"),
)

ALERTS = Table(
    "alerts",
    (
        *_text("id"),
        _of("revision", COUNT),
        *_low("status", "detector", "detector_type"),
        _of("detector_version", COUNT),
        *_low("tenant", "application"),
        *_text("key"),
        _of("severity", "Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5)"),
        *_text("summary"),
        _of("first_seen", MILLI),
        _of("last_seen", MILLI),
        _of("count", "UInt64"),
        _of("value", REAL),
        _of("baseline", REAL),
        _of("window_seconds", REAL),
        _of("since", "Nullable(DateTime64(3, 'UTC'))"),
        _of("evidence", "Map(LowCardinality(String), String)"),
        _of("event_ids", "Array(String)"),
        *_low("agent"),
        *_text("session", "user"),
        *_low("api_key", "tool", "model"),
        _of("owasp", WORDS),
        _of("atlas", WORDS),
        _of("backfill", FLAG),
        *POSITION,
    ),
    attrgetter("first_seen"),
)

QUARANTINE = Table(
    "quarantine",
    (
        *_low("reason"),
        *_text("detail", "shape", "sample"),
        _of("size", "UInt64"),
        *_text("sha256"),
        *POSITION,
        *SOURCE,
        *_low("tenant"),
    ),
    attrgetter("arrival"),
)
