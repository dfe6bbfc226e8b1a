"""One record to its items: events and rejects, stamped with where they came from and whose they are."""

from __future__ import annotations

import hashlib

from msgspec.structs import force_setattr, replace

from tocsin.contracts import Decoder
from tocsin.mask import mask
from tocsin.model import Event, Record, Reject
from tocsin.names import Names
from tocsin.pseudonym import Own
from tocsin.reading.redaction import Redactor
from tocsin.settings import GroupSettings, LimitSettings

_MARGIN = 4096  # read beyond a sample, so that a secret across its end is seen whole


class Oversized(Record, frozen=True, gc=False):
    """A record that its source refused to read whole; `value` is only its beginning."""

    size: int
    sha256: str


class Owned(Record, frozen=True, gc=False):
    """A record whose sender proved whose it is; empty: nobody had to prove anything."""

    tenant: str


class Tick(Record, frozen=True, gc=False):
    """A record of a silent log: it only brings its arrival time."""


class Unpacker:
    """Applies a decoder to records: pure, and whatever a decoder does, it returns."""

    def __init__(
        self,
        decoder: Decoder,
        groups: GroupSettings | None = None,
        limits: LimitSettings | None = None,
        *,
        sample_bytes: int = 256,
        redactor: Redactor | None = None,
        secret: str = "",
        masked: bool = False,
    ) -> None:
        """`secret` keys the digests of names; `masked`: samples show the shape of a record, not its words."""
        self._decoder = decoder
        self._tenant = (groups or GroupSettings()).tenant
        self._believed = (groups or GroupSettings()).tenant_from_payload
        self._limit = (limits or LimitSettings()).record_bytes
        self._sample_bytes = sample_bytes
        self._redactor = redactor or Redactor()
        self._name = Names(self._redactor, secret).clean
        self._masked = masked

    def __call__(self, record: Record) -> list[Event | Reject]:
        """The items in order; empty where all of the record is known and no event."""
        if isinstance(record, Tick):
            return []
        items = self._items(record)
        (name, number), offset = record.partition, record.offset
        proven = record.tenant if isinstance(record, Owned) else ""
        tenant, believed = proven or self._tenant, self._believed and not proven
        for index, item in enumerate(items):
            force_setattr(item, "source", name)
            force_setattr(item, "source_offset", offset)
            if number:
                force_setattr(item, "source_partition", number)
            if index:
                force_setattr(item, "source_index", index)
            if type(item) is Event:
                if not (believed and item.tenant):
                    force_setattr(item, "tenant", tenant)
                else:
                    force_setattr(item, "tenant", self._name(item.tenant))
                # It names the group, which is looked for before anything else of the event is redacted.
                force_setattr(item, "application", self._name(self._application(item)))
                if not item.source_format:
                    force_setattr(item, "source_format", self._decoder.name)
            else:
                force_setattr(item, "tenant", tenant)
        return items

    def _application(self, event: Event) -> str:
        """The group's name; where identities must not be stored, without the name of who calls."""
        application = event.application or event.service or event.agent or "default"
        if self._masked:
            for identity in (event.user, event.api_key, event.client_ip):
                application = Own(identity, "[caller]").hide(application)
        return application

    def _items(self, record: Record) -> list[Event | Reject]:
        size = record.size if isinstance(record, Oversized) else len(record.value)
        if isinstance(record, Oversized) or size > self._limit:
            return self._explained(
                record, [Reject(reason="too_large", detail=f"{size} bytes of {self._limit}")]
            )
        items: list[Event | Reject]
        try:
            items = list(self._decoder.decode(record.value).items)
        except RecursionError:
            items = [Reject(reason="too_deep", detail="nested too deep")]
        except Exception as error:  # a decoder may be a plugin; its message may quote the input
            detail = f"decoder {self._decoder.name}: {type(error).__name__}"
            items = [Reject(reason="invalid", detail=detail)]
        for item in items:
            if type(item) is not Event:
                return self._explained(record, items)
        return items

    def _explained(self, record: Record, items: list[Event | Reject]) -> list[Event | Reject]:
        """The rejects among the items with size, digest and a redacted sample of the record."""
        value, redact = record.value, self._redactor.redact
        if isinstance(record, Oversized):
            size, digest = record.size, record.sha256
        else:
            size, digest = len(value), hashlib.sha256(value).hexdigest()
        sample = self._sample(value)
        explained: list[Event | Reject] = []
        for item in items:
            if type(item) is Event:
                explained.append(item)
                continue
            reject = item if isinstance(item, Reject) else Reject(reason="invalid", detail="no event")
            own = self._sample(reject.sample.encode("utf-8", "replace")) if reject.sample else sample
            detail, shape = redact(reject.detail[:500]), redact(reject.shape[:600])
            explained.append(
                replace(reject, detail=detail, shape=shape, sample=own, size=size, sha256=digest)
            )
        return explained

    def _sample(self, value: bytes) -> str:
        if not self._sample_bytes:
            return ""
        text = value[: self._sample_bytes + _MARGIN].decode("utf-8", "replace")
        clean = self._redactor.redact(text)
        clean = mask(clean) if self._masked else clean
        return clean.encode()[: self._sample_bytes].decode("utf-8", "ignore")
