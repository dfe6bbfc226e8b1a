"""Tocsin: streaming anomaly detection for LLM calls and AI agents. What plugins need stands here."""

from tocsin.contracts import About, Detector, Reader, Sink, Source, Writer
from tocsin.model import (
    Alert,
    Batch,
    Decoded,
    Event,
    Finding,
    Message,
    Record,
    Reject,
    Severity,
    Signals,
    ToolCall,
)
from tocsin.reading.sketch import sketch

__all__ = [
    "About",
    "Alert",
    "Batch",
    "Decoded",
    "Detector",
    "Event",
    "Finding",
    "Message",
    "Reader",
    "Record",
    "Reject",
    "Severity",
    "Signals",
    "Sink",
    "Source",
    "ToolCall",
    "Writer",
    "sketch",
]
