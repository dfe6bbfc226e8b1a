"""The promises of a checkpoint store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from tocsin.contracts import Checkpoint, CheckpointStore, Fenced
from tocsin.testing.trial import BrokenPromise, closed_twice, promised


def check_store(
    open_store: Callable[[], CheckpointStore], *, damage: Callable[[CheckpointStore, str], None] | None = None
) -> None:
    """Raise BrokenPromise unless checkpoints come back as they were saved, and only the owner's.

    `open_store` opens the same store again after `close`; `damage` spoils the newest checkpoint.
    """
    log, other = "check/0", "check/1"
    store = open_store()
    try:
        promised(store.load(log)[0] is None, "a checkpoint before the first save", "a fresh store is empty")
        epoch = store.claim(log)
        store.save(log, _checkpoint(1, 1, epoch, [b"a", b"b"]), [b"a", b"b"])
        _loads(store, log, 1, [b"a", b"b"])
        store.save(log, _checkpoint(2, 1, epoch, [b"c"]), [b"c"])
        _loads(store, log, 2, [b"a", b"b", b"c"])
        store.save(log, _checkpoint(2, 1, epoch, [b"d"]), [b"d"])
        _loads(store, log, 2, [b"a", b"b", b"d"])
        promised(store.load(other)[0] is None, "one log's checkpoint is another's", "logs are apart")
        promised(log in store.logs(), f"logs() gives {store.logs()}", "logs are listed")
        later = store.claim(log)
        promised(later > epoch, f"epoch {later} follows {epoch}", "a claim fences those before")
        _fenced(store, log, _checkpoint(3, 3, epoch, [b"stale"]))
        store.save(log, _checkpoint(3, 3, later, [b"e"]), [b"e"])
    finally:
        store.close()
        closed_twice(store.close)
    _reopened(open_store, log, later, damage)


def _reopened(
    open_store: Callable[[], CheckpointStore],
    log: str,
    epoch: int,
    damage: Callable[[CheckpointStore, str], None] | None,
) -> None:
    store = open_store()
    try:
        _loads(store, log, 3, [b"e"])
        if damage:
            damage(store, log)
            saved, complaints = store.load(log)
            back = saved is not None and saved.checkpoint.sequence == 2 and bool(complaints)
            promised(back, f"{saved} with {complaints}", "the generation before is loadable")
        newest = store.claim(log)
        promised(newest > epoch, f"epoch {newest} follows {epoch}", "a claim fences those before")
        store.reset(log)
        promised(store.load(log)[0] is None, "a checkpoint is left", "reset forgets")
        promised(log not in store.logs(), "the log is still listed", "reset forgets")
        promised(store.claim(log) > newest, "epochs start again after reset", "reset forgets no epoch")
    finally:
        store.close()


def _checkpoint(sequence: int, base: int, epoch: int, chunks: Sequence[bytes]) -> Checkpoint:
    return Checkpoint(
        sequence=sequence,
        base=base,
        next_offset=sequence * 10,
        clock=1_750_000_000.0 + sequence,
        epoch=epoch,
        config_hash="check",
        versions={"state": 1},
        chunks=len(chunks),
        sha256=sha256(b"".join(chunks)).hexdigest(),
        meta=b"meta",
    )


def _loads(store: CheckpointStore, log: str, sequence: int, chunks: Sequence[bytes]) -> None:
    saved, complaints = store.load(log)
    promised(saved is not None and not complaints, f"complaints: {complaints}", "what was saved loads")
    if saved is not None:
        found = (saved.checkpoint.sequence, list(saved.chunks), saved.checkpoint.meta)
        promised(found == (sequence, list(chunks), b"meta"), f"{found}", "what was saved loads")


def _fenced(store: CheckpointStore, log: str, stale: Checkpoint) -> None:
    before = store.load(log)[0]
    try:
        store.save(log, stale, [b"stale"])
    except Fenced:
        promised(store.load(log)[0] == before, "what was fenced is stored", "a claim fences those before")
        return
    raise BrokenPromise("a claim fences those before", "an owner of before saves")
