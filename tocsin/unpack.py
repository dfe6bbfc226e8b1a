"""Unpacking: a record's bytes become items that know their source, tenant and application.

Pure: the same record gives the same items in every process. Nothing that is wrong with a record
raises; it comes back as a Reject.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec.structs import force_setattr

from tocsin.contracts import Decoder
from tocsin.model import Event, Record, Reject
from tocsin.reading.redaction import Redactor
from tocsin.settings import GroupSettings, LimitSettings, QuarantineSettings

DEFAULT = "default"  # the application of whoever names none


class Unpacker:
    """Bytes of a source to stamped items, by one decoder."""

    def __init__(
        self, decoder: Decoder, groups: GroupSettings, limits: LimitSettings, quarantine: QuarantineSettings
    ) -> None:
        self._decoder = decoder
        self._tenant = groups.tenant
        self._believed = groups.tenant_from_payload
        self._most = limits.record_bytes
        self._sample = quarantine.sample_bytes
        self._redact = Redactor().redact
        self.ignored = 0  # parts that were known and no event, since the start

    def __call__(self, record: Record) -> Sequence[Event | Reject]:
        """The items of a record, in its order."""
        if len(record.value) > self._most:
            return (self._refused(record, Reject(reason="too_large", detail="above limits.record_bytes"), 0),)
        try:
            decoded = self._decoder.decode(record.value)
        except Exception as error:  # a decoder's bug costs its record, never the stream
            detail = f"{self._decoder.name}: {type(error).__name__}"
            return (self._refused(record, Reject(reason="invalid", detail=detail), 0),)
        self.ignored += decoded.ignored
        items: list[Event | Reject] = []
        for index, item in enumerate(decoded.items):
            if isinstance(item, Event):
                self._stamp(record, index, item)
                items.append(item)
            else:
                items.append(self._refused(record, item, index))
        return items

    def _stamp(self, record: Record, index: int, event: Event) -> None:
        name, number = record.partition
        force_setattr(event, "source", name)
        if number:
            force_setattr(event, "source_partition", number)
        force_setattr(event, "source_offset", record.offset)
        if index:
            force_setattr(event, "source_index", index)
        if not event.source_format:
            force_setattr(event, "source_format", self._decoder.name)
        if not (self._believed and event.tenant):
            force_setattr(event, "tenant", self._tenant)
        if not event.application:
            force_setattr(event, "application", event.service or event.agent or DEFAULT)

    def _refused(self, record: Record, reject: Reject, index: int) -> Reject:
        """The reject with its place and a bounded, redacted sample of what was refused."""
        value = record.value
        return Reject(
            reason=reject.reason,
            detail=reject.detail,
            shape=reject.shape,
            sample=reject.sample or self._redacted(value),
            size=reject.size or len(value),
            sha256=reject.sha256 or sha256(value).hexdigest(),
            source=record.partition.name,
            source_partition=record.partition.number,
            source_offset=record.offset,
            source_index=index,
            tenant=self._tenant,
        )

    def _redacted(self, value: bytes) -> str:
        """The beginning; redacted over twice the length, so that a secret on the cut is still seen whole."""
        text = value[: 2 * self._sample].decode("utf-8", "replace")
        return self._redact(text)[: self._sample]
