"""Forgetting somebody in what was learnt: their keys go, and checkpoints that hold them are superseded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tocsin.contracts import Checkpoint, CheckpointStore
from tocsin.pseudonym import SHORTEST, Own
from tocsin.section import short
from tocsin.state import PartitionState

_KINDS = (
    "",
    "user:",
    "key:",
    "agent:",
    "session:",
)  # what stands in front of a name in the keys of detectors


class Subject(NamedTuple):
    """Somebody, as one tenant's events name them."""

    tenant: str
    names: frozenset[str]
    conversations: frozenset[str] = frozenset()


def forget(state: PartitionState, subject: Subject) -> Counter[str]:
    """Takes out what is kept under a name of the subject, or holds one; how much, by section."""
    removed: Counter[str] = Counter()
    words = subject.names | subject.conversations
    keys = {short(kind + word) for kind in _KINDS for word in words}
    for group in state.groups:
        if group.tenant != short(subject.tenant):
            continue
        places = keys | {group.history.place(word) for word in words}
        for name, section in group.sections():
            theirs = [
                key
                for key, entry in section.items()
                if key.rpartition("\0")[2] in places or _names(section.keep(entry).value, subject)
            ]
            for key in theirs:
                section.remove(key)
            removed[name] += len(theirs)
    return +removed


def supersede(store: CheckpointStore, log: str, state: PartitionState) -> int:
    """Save until no checkpoint that can still be loaded needs anything from before; how many it took.

    Raises Fenced or StoreUnavailable.
    """
    epoch = store.claim(log)
    first = _save(store, log, state, epoch).sequence
    saved, fresh = 1, 0
    while fresh < 2:  # the newest one, and the one before it
        checkpoint = _save(store, log, state, epoch)
        saved += 1
        fresh = fresh + 1 if checkpoint.base >= first else 0
    store.scrub()
    return saved


def _save(store: CheckpointStore, log: str, state: PartitionState, epoch: int) -> Checkpoint:
    checkpoint, chunks = state.checkpoint(epoch)
    store.save(log, checkpoint, chunks)
    state.saved(checkpoint.sequence)
    return checkpoint


def _names(value: bytes, subject: Subject) -> bool:
    """Whether the texts of a saved value name the subject, or one of their conversations."""
    plain = msgspec.msgpack.decode(value, ext_hook=lambda code, inner: msgspec.msgpack.decode(inner))
    texts = list(_texts(plain))
    if not (subject.names.isdisjoint(texts) and subject.conversations.isdisjoint(texts)):
        return True
    joined = "\n".join(texts)
    return any(len(word) >= SHORTEST and Own(word, "").hide(joined) != joined for word in subject.names)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        yield from _texts([*value.keys(), *value.values()])
