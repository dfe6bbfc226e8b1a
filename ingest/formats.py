"""The formats as people read them: a table out of the registry, for README and docs/formats.md."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ingest import DECODERS
from ingest.recognise import AUTO
from tocsin import registry

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "ingest" / "golden"
BEGIN, END = "<!-- formats -->\n", "<!-- to here -->\n"
PAGES = ("README.md", "docs/formats.md")
RECORDED, DOCUMENTED = "recorded", "from documentation only"
_WORDS = {RECORDED: "recorded from real producers", DOCUMENTED: DOCUMENTED}
_FIRST = {  # formats that are no leaf classes
    "native": ("Tocsin's own JSON", "written by us: what `tocsin.Event` is"),
    "otlp": ("OTLP in JSON: traces and logs", RECORDED),
}


class Row(NamedTuple):
    """One format of the table."""

    name: str
    title: str
    evidence: str
    golden: int  # payloads that are kept with what they become


# What is told apart inside of OTLP, by the beginning of its golden payloads' names.
DIALECTS: tuple[tuple[str, str, str], ...] = (
    ("genai", "OTel GenAI, newest names: spans, and details in log records", RECORDED),
    ("events", "OTel GenAI up to 1.36: a log record for each message", RECORDED),
    ("deprecated", "OTel GenAI, deprecated attributes", RECORDED),
    ("openinference", "OpenInference", RECORDED),
    ("traceloop", "OpenLLMetry (Traceloop)", RECORDED),
    ("vendor", "vendors' own attributes: Vercel AI SDK, Logfire, Langfuse, MLflow, OpenLIT, ADK", RECORDED),
)
ENVELOPES: dict[str, str] = {
    "fluent_bit": "Fluent Bit", "vector": "Vector", "filebeat": "Filebeat",
    "logstash": "Logstash (JSON, plain)", "fluentd": "Fluentd",
    "rsyslog": "rsyslog (JSON templates)", "syslog_ng": "syslog-ng (format-json)",
    "syslog": "syslog lines (RFC 5424, 3164)", "journald": "journald", "gelf": "GELF",
    "docker": "Docker (json-file)", "cri": "CRI (Kubernetes)", "text": "lines with JSON behind other words",
    "cloudwatch": "CloudWatch Logs", "kinesis": "Kinesis", "firehose": "Firehose", "sqs": "SQS", "sns": "SNS",
    "eventbridge": "EventBridge", "pubsub": "Google Pub/Sub", "cloud_logging": "Google Cloud Logging",
    "splunk_hec": "Splunk HEC", "loki": "Loki", "kafka_connect": "Kafka Connect (with schema)",
    "debezium": "Debezium", "cloudevents": "CloudEvents", "elasticsearch": "Elasticsearch hits",
}  # fmt: skip


def rows() -> Iterator[Row]:
    """The formats in the order in which they are asked, OTLP's dialects behind OTLP."""
    for name, target in DECODERS.items():
        if name == AUTO:
            continue
        cls = registry.resolve(target)
        title, evidence = _FIRST.get(name, ("", ""))
        yield Row(
            name, getattr(cls, "title", "") or title, getattr(cls, "evidence", "") or evidence, golden(name)
        )
        if name == "otlp":
            yield from (Row("", f"– {title}", said, golden(name, mark)) for mark, title, said in DIALECTS)


def golden(folder: str, beginning: str = "") -> int:
    """How many golden payloads, one a record, a folder holds."""
    found = (GOLDEN / folder).glob(f"{beginning}*.in.*")
    many = (".jsonl", ".b64")
    return sum(len(path.read_bytes().split(b"\n")) - 1 if path.suffix in many else 1 for path in found)


def table() -> str:
    """The rows in Markdown."""
    lines = ["| `format` | What | Evidence | Golden payloads |", "|---|---|---|---|"]
    for row in rows():
        name = f"`{row.name}`" if row.name else ""
        lines.append(f"| {name} | {row.title} | {_WORDS.get(row.evidence, row.evidence)} | {row.golden} |")
    return "\n".join(lines) + "\n"


def envelopes() -> str:
    """The envelopes in one sentence."""
    counted = sum(golden(f"envelopes/{name}") for name in ENVELOPES)
    said = (
        "Each of them bare, compressed with gzip or zstd, several to a record, or in the envelope of a "
        f"shipper ({counted} golden payloads): {', '.join(ENVELOPES.values())}."
    )
    return textwrap.fill(said, 116) + "\n"


def page(text: str) -> str:
    """A page with its part between the marks made anew; one without marks stays as it is."""
    head, mark, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{envelopes()}\n{END}{tail}" if mark and end else text


if __name__ == "__main__":
    if "--write" in sys.argv:
        for path in (ROOT / name for name in PAGES):
            path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(f"{table()}\n{envelopes()}")
