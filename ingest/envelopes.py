"""What shippers and transports put around a document: told by a few keys, opened, and kept."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]


class Part(NamedTuple):
    """One thing that an envelope carries: text, bytes or a parsed document, and what is said of it alone."""

    carried: Any
    said: Json = {}


class Opened(NamedTuple):
    """An envelope's name and its parts; `parts` is empty where it carries nothing on purpose."""

    name: str
    parts: Sequence[Part]
    keys: tuple[str, ...] = ()  # of the envelope, that hold the parts


# Where shippers put the line that they read. The first that holds a document is opened.
CARRIERS = (
    "log", "message", "msg", "body", "MSG", "MESSAGE", "Message", "full_message", "short_message",
    "payload", "data", "event", "record", "value", "content", "text", "line", "raw", "_raw",
)  # fmt: skip

# Those in which they put it also as a document, parsed.
_PARSED = frozenset(("log", "message", "msg", "body", "payload", "data", "event", "record"))

# Who put a line into one of the carriers: the first whose keys are all there. Only a name for people.
SHIPPERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("filebeat", ("@timestamp", "@metadata")),
    ("filebeat", ("@timestamp", "ecs", "agent")),
    ("logstash", ("@timestamp", "@version")),
    ("docker", ("log", "stream", "time")),
    ("fluent_bit", ("log", "kubernetes")),
    ("fluent_bit", ("log", "@timestamp")),
    ("fluent_bit", ("log", "date")),
    ("vector", ("source_type",)),
    ("gelf", ("version", "short_message")),
    ("gelf", ("version", "host", "full_message")),
    ("journald", ("MESSAGE", "__REALTIME_TIMESTAMP")),
    ("syslog_ng", ("MESSAGE",)),
    ("syslog_ng", ("MSG",)),
    ("rsyslog", ("syslogtag",)),
    ("rsyslog", ("programname",)),
    ("sns", ("Type", "MessageId", "Message")),
    ("fluentd", ("tag",)),
)


def opened(document: Json, known: Callable[[Any], bool]) -> Opened | None:
    """The envelope around other documents; None: it is none. `known` tells documents of known formats."""
    for mark, openers in _OPENERS.items():
        if mark in document:
            for opener in openers:
                found = opener(document)
                if found is not None:
                    return found
    return _line(document, known)


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _line(document: Json, known: Callable[[Any], bool]) -> Opened | None:
    """A line of a log, as JSON text or already parsed, beside what its shipper knows."""
    for key, carried in _carried(document):
        parsed = isinstance(carried, dict | list)
        if (key in _PARSED and known(carried)) if parsed else _holds_json(carried):
            name = next((name for name, keys in SHIPPERS if all(k in document for k in keys)), key)
            return Opened(name, (Part(carried),), CARRIERS)
    return None


def _carried(document: Json) -> Iterable[tuple[str, Any]]:
    event = document.get("event")
    original = event.get("original") if isinstance(event, dict) else document.get("event.original")
    if original is not None:
        yield "event.original", original
    for key in CARRIERS:
        carried = document.get(key)
        if carried is not None:
            yield key, carried


def _holds_json(carried: Any) -> bool:
    return isinstance(carried, str) and ("{" in carried or "[" in carried)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _unpacked(text: Any) -> bytes | None:
    """The bytes in base64; None: it is none."""
    if not isinstance(text, str):
        return None
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _cloudwatch(document: Json) -> Opened | None:
    """A subscription of CloudWatch Logs; its control messages carry nothing."""
    events = document["logEvents"]
    if not isinstance(events, list) or "logGroup" not in document:
        return None
    if document.get("messageType") == "CONTROL_MESSAGE":
        events = []
    parts = [
        Part(event["message"], {"timestamp": event.get("timestamp")})
        for event in events
        if isinstance(event, dict) and "message" in event
    ]
    return Opened("cloudwatch", parts, ("logEvents",))


def _lambda(document: Json) -> Opened | None:
    """What Kinesis, SQS and SNS hand to a function."""
    parts: list[Part] = []
    name = ""
    for record in _list(document["Records"]):
        record = _dict(record)
        stream, topic = _dict(record.get("kinesis")), _dict(record.get("Sns"))
        if (data := _unpacked(stream.get("data"))) is not None:
            name = "kinesis"
            parts.append(Part(data, {"timestamp": stream.get("approximateArrivalTimestamp")}))
        elif "Message" in topic:
            name = "sns"
            parts.append(Part(topic["Message"], {"timestamp": topic.get("Timestamp")}))
        elif isinstance(record.get("body"), str):
            name = "sqs"
            parts.append(
                Part(record["body"], {"timestamp": _dict(record.get("attributes")).get("SentTimestamp")})
            )
    return Opened(name, parts, ("Records",)) if name else None


def _firehose(document: Json) -> Opened | None:
    parts: list[Part] = []
    for record in _list(document["records"]):
        data = _unpacked(_dict(record).get("data"))
        if data is None:
            return None
        parts.append(Part(data, {"timestamp": record.get("approximateArrivalTimestamp")}))
    return Opened("firehose", parts, ("records",)) if parts else None


def _kinesis(document: Json) -> Opened | None:
    """One record of a stream."""
    data = document.get("data", document.get("Data"))
    if not any(
        key in document for key in ("partitionKey", "PartitionKey", "sequenceNumber", "SequenceNumber")
    ):
        return None
    unpacked = _unpacked(data)
    return None if unpacked is None else Opened("kinesis", (Part(unpacked),), ("data", "Data"))


def _pubsub(document: Json) -> Opened | None:
    """A push message, or one that was pulled."""
    message = document["message"] if isinstance(document.get("message"), dict) else document
    if not any(
        key in message for key in ("messageId", "message_id", "publishTime", "publish_time", "attributes")
    ):
        return None
    data = _unpacked(message.get("data"))
    if data is None:
        return None
    rest = {key: value for key, value in message.items() if key != "data"}
    return Opened("pubsub", (Part(data, rest),), ("message", "data"))


def _cloud_logging(document: Json) -> Opened | None:
    key = "jsonPayload" if "jsonPayload" in document else "textPayload"
    if not any(name in document for name in ("logName", "insertId", "resource", "receiveTimestamp")):
        return None
    return Opened("cloud_logging", (Part(document[key]),), (key,))


def _splunk(document: Json) -> Opened | None:
    """An event for the HTTP event collector."""
    event = document["event"]
    if "@timestamp" in document or not isinstance(event, dict | str):
        return None
    if not any(key in document for key in ("sourcetype", "source", "index", "time", "host", "fields")):
        return None
    return Opened("splunk_hec", (Part(event),), ("event",))


def _loki(document: Json) -> Opened | None:
    """Streams of a push, or of a query's answer: lines with their labels."""
    streams = document.get("streams") or _dict(document.get("data")).get("result")
    parts: list[Part] = []
    for stream in _list(streams):
        labels = _dict(_dict(stream).get("stream"))
        for entry in _list(_dict(stream).get("values")):
            if isinstance(entry, list) and len(entry) > 1:
                more = _dict(entry[2]) if len(entry) > 2 else {}
                parts.append(Part(entry[1], {**labels, **more, "timestamp": entry[0]}))
    return Opened("loki", parts, ("streams", "data")) if parts else None


def _connect(document: Json) -> Opened | None:
    if "schema" not in document or len(document) > 3:
        return None
    return Opened("kafka_connect", (Part(document["payload"]),), ("schema", "payload"))


def _change(document: Json) -> Opened | None:
    """A change of a row, as Debezium tells it; a row that was deleted says nothing."""
    if "after" not in document or not ("source" in document or "ts_ms" in document):
        return None
    row = document["after"]
    return Opened("debezium", () if row is None else (Part(row),), ("before", "after"))


def _cloudevent(document: Json) -> Opened | None:
    data: Any = document.get("data")
    if data is None:
        data = _unpacked(document.get("data_base64"))
    return None if data is None else Opened("cloudevents", (Part(data),), ("data", "data_base64"))


def _eventbridge(document: Json) -> Opened | None:
    return Opened("eventbridge", (Part(document["detail"]),), ("detail",)) if "detail" in document else None


def _hit(document: Json) -> Opened | None:
    """A document out of Elasticsearch or OpenSearch."""
    return Opened("elasticsearch", (Part(document["_source"]),), ("_source",))


_Opener = Callable[[Json], Opened | None]
# By a key that must be there. An opener that finds more missing leaves the document to the next.
_OPENERS: dict[str, tuple[_Opener, ...]] = {
    "logEvents": (_cloudwatch,),
    "Records": (_lambda,),
    "records": (_firehose,),
    "specversion": (_cloudevent,),
    "detail-type": (_eventbridge,),
    "_source": (_hit,),
    "jsonPayload": (_cloud_logging,),
    "textPayload": (_cloud_logging,),
    "streams": (_loki,),
    "payload": (_connect,),
    "op": (_change,),
    "event": (_splunk,),
    "message": (_pubsub,),
    "data": (_kinesis, _pubsub, _loki),
    "Data": (_kinesis,),
}
