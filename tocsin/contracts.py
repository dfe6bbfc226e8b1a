"""The seams of Tocsin: read this first.

    Source ──Record──► Decoder ──Event──► Detector ──Finding──► (engine) ──Batch──► Sink
                                              │
                                        CheckpointStore

Everything that can be plugged in implements one of these classes; `tocsin.testing` checks that it
does. Errors:

    TocsinError
    ├── ConfigError          wrong configuration; carries every mistake
    ├── SourceUnavailable    the log cannot be read now; the loop waits and asks again
    ├── LogChanged           the log's incarnation or its retained range is not what the state expects
    ├── SinkUnavailable      nothing or something was written; the loop reads back and offers it again
    ├── SinkRefused          the sink will never take this as it is (schema, rights): stop
    ├── StoreUnavailable     the checkpoint was not saved; nothing is committed
    ├── Fenced               another owner took this partition: discard, do not write
    └── StateUnreadable      stored state is corrupt or from a newer version
"""

from __future__ import annotations

from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from tocsin.model import KINDS, Batch, Decoded, Event, Finding, Kind, Partition, Record, Signals

if TYPE_CHECKING:
    from tocsin.ports import Lent

S = TypeVar("S")


class TocsinError(Exception):
    """Root of every error that Tocsin raises on purpose."""


class ConfigError(TocsinError):
    """The configuration cannot be used; `mistakes` names each with its place and its remedy."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class SourceUnavailable(TocsinError):
    """The log cannot be read now."""


class LogChanged(TocsinError):
    """The log is not the one the checkpoint belongs to, or no longer holds the next offset."""


class SinkUnavailable(TocsinError):
    """The sink did not confirm; part of the batch may or may not be stored."""


class SinkRefused(TocsinError):
    """The sink will not take the batch however often it is offered."""


class StoreUnavailable(TocsinError):
    """The checkpoint store did not confirm a save."""


class Fenced(TocsinError):
    """Another owner has claimed the partition since."""


class StateUnreadable(TocsinError):
    """A stored checkpoint does not verify, or was written by a newer version."""


class _StructABCMeta(msgspec.StructMeta, ABCMeta):
    """Settings that are records and contracts at once."""


class Changes(NamedTuple):
    """What happened to the assignment since the last look."""

    assigned: Sequence[Partition] = ()
    revoked: Sequence[Partition] = ()  # gone in order: nothing of theirs may be written any more
    lost: Sequence[Partition] = ()  # gone without order: somebody else may already own them


class Source(
    msgspec.Struct, ABC, frozen=True, kw_only=True, forbid_unknown_fields=True, metaclass=_StructABCMeta
):
    """Settings of something that records are read from; `open` gives the reader."""

    receives: ClassVar[bool] = False  # True: senders wait for it, so it is opened before everything else

    @abstractmethod
    def open(self) -> Reader:
        """Connect. Raises SourceUnavailable."""

    def open_with(self, lent: Lent) -> Reader:
        """As `open`, for a source that needs more of the process than its settings."""
        return self.open()

    def alone(self) -> Source:
        """A source that reads the same beside the running one and disturbs nobody."""
        return self


class Reader(ABC):
    """An open log. One thread owns it.

    A partition that `changes` reports as assigned hands out nothing until `seek` was called for it.
    Records of one partition come in order of offset.
    """

    @abstractmethod
    def changes(self) -> Changes:
        """What was assigned and taken since the last call; never blocks."""

    @abstractmethod
    def poll(self, timeout: float) -> Sequence[Record]:
        """Up to a bounded number of records, waiting at most `timeout` seconds for the first.

        Must be called regularly even when every partition is paused: group membership lives in it.
        """

    @abstractmethod
    def log_id(self, partition: Partition) -> str:
        """The name of this incarnation of the log (topic id; device, inode and first bytes of a file)."""

    @abstractmethod
    def seek(self, partition: Partition, offset: int | None) -> None:
        """Read on from `offset`; None: from where the source's own start setting says.

        Raises LogChanged where the log no longer holds `offset`.
        """

    def backfill_until(self, partition: Partition) -> int | None:
        """What lies below this offset was there before the first start. Asked when a partition has no
        checkpoint, before `seek`, and remembered with the state; None: nothing is backfill."""
        return None

    @abstractmethod
    def pause(self, partitions: Iterable[Partition]) -> None:
        """Hand out nothing of these until resumed."""

    @abstractmethod
    def resume(self, partitions: Iterable[Partition]) -> None:
        """Undo `pause`."""

    @abstractmethod
    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the outside how far processing is. A hint for lag tools; never the truth. Never raises."""

    @abstractmethod
    def lag(self) -> Mapping[Partition, int]:
        """Records (bytes, for a file) known to wait behind the reading position."""

    @abstractmethod
    def ended(self) -> bool:
        """Whether every partition was read to an end that will not grow (a file without follow)."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, in bounded time."""


class Decoder(Protocol):
    """A wire format: pure, bytes to events or reasons.

    Never raises: what cannot be read comes back as a Reject. Bounded: at most 50 ms a call on
    1 MiB. Leaves `id`, log and source fields unset.
    """

    name: str

    def decode(self, value: bytes) -> Decoded:
        """Everything that `value` holds, in its order."""
        ...


class About(NamedTuple):
    """What a person wants to know of a detector before switching it on."""

    title: str
    detects: str
    misses: str
    reads: tuple[str, ...]  # Event and Signals fields
    owasp: tuple[str, ...] = ()  # with edition year
    atlas: tuple[str, ...] = ()  # content version: tocsin.taxonomy.ATLAS_VERSION
    maturity: str = "stable"  # stable, incubating; only stable ones are on by default
    state_version: int = 1  # raise it when the shape or meaning of the state changes


class Detector(
    msgspec.Struct,
    ABC,
    Generic[S],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    metaclass=_StructABCMeta,
):
    """A frozen record of settings plus pure functions over explicit state.

    The engine owns the state: one `S` for each key inside a group (tenant and application). `S` is
    a msgspec.Struct whose fields are plain data, or objects that `tocsin.codec` knows. Neither
    method may read a clock, an unseeded random source, `hash()`, the environment or another key;
    `observe` and `wake` change `state` and nothing else.
    """

    about: ClassVar[About]
    state_type: ClassVar[type[Any]]
    kinds: ClassVar[frozenset[Kind]] = KINDS  # of others `key` gives None, and it is not even asked
    needs_texts: ClassVar[bool] = False  # remembers nothing, and says nothing where `signals.texts` is empty

    @abstractmethod
    def key(self, event: Event) -> str | None:
        """Whose history this event belongs to; None: not of interest."""

    @abstractmethod
    def start(self) -> S:
        """The state of a key that was never seen."""

    @abstractmethod
    def observe(self, event: Event, signals: Signals, state: S) -> Finding | None:
        """Learn from the event, and say what is wrong with it, if anything is."""

    def due(self, state: S) -> float | None:
        """The arrival time at which `wake` is wanted; None: never. Asked after every change of state."""
        return None

    def wake(self, now: float, state: S) -> Finding | None:
        """Called once the arrival clock has reached `due`; must move `due` on or clear it."""
        return None

    @classmethod
    def examples(cls) -> Sequence[Detector[Any]]:
        """Several settings that conformance is checked with, the defaults among them."""
        return (cls(),)


class Written(NamedTuple):
    """Which rows of one log partition a sink already holds: (offset, index), revisions apart.

    A sink that holds too many to answer at once sets `before`, above the offset it was asked from:
    the answer is complete below it, and the loop asks again from there. None: complete.
    """

    events: frozenset[tuple[int, int]] = frozenset()
    alerts: frozenset[tuple[int, int]] = frozenset()
    rejects: frozenset[tuple[int, int]] = frozenset()
    before: int | None = None


class Forgotten(NamedTuple):
    """What a sink no longer holds of somebody, and what it still does."""

    rows: Mapping[str, int]  # deleted, by table
    mentions: int = 0  # rows about others whose text has the name in it: they stay
    conversations: Sequence[str] = ()  # sessions and traces that were theirs alone


class Sink(
    msgspec.Struct, ABC, frozen=True, kw_only=True, forbid_unknown_fields=True, metaclass=_StructABCMeta
):
    """Settings of something that rows go to; `open` gives the writer."""

    durable: ClassVar[bool] = True  # False: rows are shown and not kept, so this sink alone is not enough

    @abstractmethod
    def open(self) -> Writer:
        """Connect and verify. Raises SinkUnavailable or SinkRefused."""


class Writer(ABC):
    """An open sink. One thread owns it."""

    @abstractmethod
    def write(self, batch: Batch, deadline: float) -> None:
        """Store the rows; returning means durable. `deadline` is time.monotonic() seconds.

        Raises SinkUnavailable (read back, then offer what is missing) or SinkRefused. A single row
        that the sink cannot take is not an error: it is handed back through `unstorable`.
        """

    @abstractmethod
    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        """What is already stored of this log partition from `from_offset` on.

        After a SinkUnavailable it first makes sure that the doubtful write is over.
        Sinks that keep nothing return an empty Written.
        """

    def aggregate(self, log_id: str, log_partition: int, minutes: Sequence[int], version: int) -> None:
        """Compute the given minutes (epoch seconds, multiples of 60) of event time again and store
        them as absolute revisions; a higher `version` wins. Raises as `write` does."""

    def forget(self, tenant: str, names: Collection[str]) -> Forgotten | None:
        """Delete every row about the one whom `tenant` knows by `names` (an identity and its pseudonyms),
        with the conversations that were theirs alone, and compute again what was counted with them.

        Can be repeated. None: this sink cannot. Raises as `write` does.
        """
        return None

    def unstorable(self) -> Sequence[tuple[Event, str]]:
        """Events that the last write could not store, each with its reason; asking clears the list."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, in bounded time."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """State and position of one log partition that belong together."""

    sequence: int  # grows by one with each checkpoint of a log partition
    base: int  # the oldest sequence whose chunks are needed to rebuild the state
    next_offset: int
    clock: float  # arrival clock, epoch seconds
    epoch: int  # of the owner that wrote it
    config_hash: str
    versions: dict[str, int]  # state format, detectors
    chunks: int
    sha256: str  # over the chunks of this sequence
    meta: bytes = b""  # core's own small state (msgpack): counters, last index, groups


class Saved(NamedTuple):
    """A checkpoint with the chunks that rebuild its state, oldest first."""

    checkpoint: Checkpoint
    chunks: Sequence[bytes]


class CheckpointStore(ABC):
    """Where checkpoints live. `log` is `"{log_id}/{partition number}"`."""

    @abstractmethod
    def claim(self, log: str) -> int:
        """Become the owner; returns an epoch higher than every one before and fences those."""

    @abstractmethod
    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        """The newest checkpoint whose chunks all verify, and a complaint for each that did not."""

    @abstractmethod
    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        """Store atomically and durably, keeping the generation before it loadable.

        Raises Fenced or StoreUnavailable.
        """

    @abstractmethod
    def logs(self) -> Sequence[str]:
        """The logs that have a checkpoint."""

    @abstractmethod
    def reset(self, log: str) -> None:
        """Forget all checkpoints of a log."""

    def scrub(self) -> None:
        """Overwrite what is no longer held, as far as that is in this store's hands."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""
