"""The SQLite store keeps what it confirmed, whatever happens to the process, the file and the disk."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tocsin.checkpoint import FORMAT, GENERATIONS, SqliteStore, digest
from tocsin.contracts import (
    Checkpoint,
    CheckpointStore,
    ConfigError,
    Fenced,
    StateUnreadable,
    StoreUnavailable,
)
from tocsin.stores import Sqlite
from tocsin.testing import check_store

LOG = "llm/0"
FILE = "state.sqlite"


def checkpoint(sequence: int, chunks: list[bytes], epoch: int = 1, base: int | None = None) -> Checkpoint:
    return Checkpoint(
        sequence=sequence,
        base=sequence if base is None else base,
        next_offset=sequence * 10,
        clock=1.75e9 + sequence,
        epoch=epoch,
        config_hash="c",
        versions={"state": 1},
        chunks=len(chunks),
        sha256=digest(chunks),
        meta=b"meta",
    )


def filled(directory: Path, sequences: int = 3) -> None:
    """A store whose checkpoints each hold two chunks, and need only themselves."""
    with closing(SqliteStore(directory)) as store:
        epoch = store.claim(LOG)
        for sequence in range(1, sequences + 1):
            chunks = [f"{sequence}-a".encode() * 100, f"{sequence}-b".encode() * 100]
            store.save(LOG, checkpoint(sequence, chunks, epoch), chunks)


def loaded(store: CheckpointStore, log: str = LOG) -> tuple[int | None, list[str]]:
    saved, complaints = store.load(log)
    return (saved.checkpoint.sequence if saved else None), list(complaints)


def altered(directory: Path, *statements: str) -> None:
    """The file is changed by somebody else."""
    with closing(sqlite3.connect(directory / FILE)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


# What is promised of every store.


def flip(directory: Path, column: str, table: str, where: str) -> None:
    """One bit of one value, in a file that stays a good database."""
    with closing(sqlite3.connect(directory / FILE)) as database:
        rows = database.execute(f"select rowid, {column} from {table} where {where}").fetchall()
        rowid, value = rows[-1]
        spoiled = bytes([value[0] ^ 0x10]) + value[1:]
        database.execute(f"update {table} set {column} = ? where rowid = ?", (spoiled, rowid))
        database.commit()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a bit of a chunk": lambda at: flip(at, "data", "chunks", "sequence = 3"),
    "a bit of a record": lambda at: flip(at, "record", "checkpoints", "sequence = 3"),
    "a bit of a hash": lambda at: flip(at, "sha256", "checkpoints", "sequence = 3"),
    "a chunk is gone": lambda at: altered(at, "delete from chunks where sequence = 3 and number = 0"),
    "a chunk is cut": lambda at: altered(
        at, "update chunks set data = substr(data, 1, length(data) / 2) where sequence = 3"
    ),
    "a chunk is text": lambda at: altered(at, "update chunks set data = 'text' where sequence = 3"),
    "a record is cut": lambda at: altered(
        at, "update checkpoints set record = substr(record, 1, 9) where sequence = 3"
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_it_keeps_the_promises_of_a_store(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    def spoil(store: CheckpointStore, log: str) -> None:
        damage(tmp_path)

    check_store(lambda: Sqlite(directory=str(tmp_path)).open(), damage=spoil)


def test_the_digest_is_over_all_chunks() -> None:
    assert digest([b"ab", b"c"]) == digest([b"abc"]) == sha256(b"abc").hexdigest()


# Damage.


def test_a_damaged_chain_falls_back_to_one_that_does_not_need_the_damaged_part(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    with closing(SqliteStore(tmp_path)) as store:
        epoch = store.claim(LOG)
        for sequence in (3, 4):
            store.save(LOG, checkpoint(sequence, [b"more"], epoch, base=2), [b"more"])
    flip(tmp_path, "data", "chunks", "sequence = 3")
    with closing(SqliteStore(tmp_path)) as store:
        newest, complaints = loaded(store)
    assert newest is None  # both generations are built on 3
    assert [
        f"checkpoint {number} is unusable" in said for number, said in zip((4, 3), complaints, strict=True)
    ]


def test_what_the_newest_generations_need_is_kept_and_nothing_else(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        epoch = store.claim(LOG)
        for sequence in range(1, 41):
            base = max(1, sequence - 7)
            store.save(LOG, checkpoint(sequence, [b"x"], epoch, base), [b"x"])
        saved, _ = store.load(LOG)
        assert saved is not None and len(saved.chunks) == 8
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        kept = [row[0] for row in database.execute("select sequence from checkpoints order by 1")]
        assert kept == list(range(32, 41)) and GENERATIONS == 2


def test_a_file_that_was_cut_starts_anew_and_says_so(tmp_path: Path) -> None:
    """Wherever it is cut."""
    filled(tmp_path / "whole")
    whole = (tmp_path / "whole" / FILE).read_bytes()
    for number, size in enumerate(range(0, len(whole), 1111)):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / FILE).write_bytes(whole[:size])
        with closing(SqliteStore(directory)) as store:
            assert store.load(LOG)[0] is None and store.load(LOG)[1], size
            usable(store)


def usable(store: CheckpointStore) -> None:
    store.reset(LOG)
    store.save(LOG, checkpoint(1, [b"new"], store.claim(LOG)), [b"new"])
    assert loaded(store)[0] == 1


def test_a_bit_anywhere_in_the_file_never_gives_a_wrong_state(tmp_path: Path) -> None:
    filled(tmp_path / "whole")
    with closing(SqliteStore(tmp_path / "whole")) as store:
        good, _ = store.load(LOG)
    whole = (tmp_path / "whole" / FILE).read_bytes()
    chance = random.Random(9)
    outcomes: set[str] = set()
    for number in range(300):
        directory = tmp_path / str(number)
        directory.mkdir()
        at = chance.choice((chance.randrange(len(whole)), chance.randrange(4096), len(whole) - 1 - number))
        spoiled = bytes([whole[at] ^ 1 << chance.randrange(8)])
        (directory / FILE).write_bytes(whole[:at] + spoiled + whole[at + 1 :])
        try:
            with closing(SqliteStore(directory)) as store:
                saved, complaints = store.load(LOG)
                outcomes.add("same" if saved == good else "older" if saved else "none")
                assert saved == good or complaints, at
                usable(store)
        except (ConfigError, StateUnreadable, StoreUnavailable) as error:
            outcomes.add(type(error).__name__)  # it seems to be another version's, another program's, ...
    assert outcomes > {"same", "older", "none"}, outcomes


# Whose the log is.


def test_a_claim_fences_those_before(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        first, second = store.claim(LOG), store.claim(LOG)
        assert (first, second, store.claim("llm/1")) == (1, 2, 1)
        with pytest.raises(Fenced, match="epoch 1 was followed by 2"):
            store.save(LOG, checkpoint(1, [b"x"], first), [b"x"])
        with pytest.raises(Fenced, match="epoch 1 was followed by None"):
            store.save("llm/2", checkpoint(1, [b"x"]), [b"x"])
        assert loaded(store) == (None, [])
        store.save(LOG, checkpoint(1, [b"x"], second), [b"x"])
    with closing(SqliteStore(tmp_path)) as store:
        assert store.claim(LOG) == 3


HOLD = """
import sys
from pathlib import Path
from tocsin.checkpoint import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_directory_serves_one_process_and_is_free_when_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"open\n"
        with pytest.raises(ConfigError, match="in use by another Tocsin"):
            SqliteStore(tmp_path)
        with closing(SqliteStore.look(tmp_path)) as beside:
            assert beside.logs() == []
        holder.kill()
        holder.wait(10)
        SqliteStore(tmp_path).close()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist there"):
        SqliteStore.look(tmp_path)
    filled(tmp_path)
    with closing(Sqlite(directory=str(tmp_path)).look()) as beside:
        assert loaded(beside) == (3, []) and beside.logs() == [LOG]
        with pytest.raises(StoreUnavailable, match="readonly"):
            beside.claim(LOG)


# What is no store of this version.


def test_a_newer_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    filled(tmp_path)
    altered(tmp_path, f"pragma user_version = {FORMAT + 1}")
    for way in (SqliteStore, SqliteStore.look):
        with pytest.raises(StateUnreadable, match=f"format {FORMAT + 1}, this Tocsin reads up to {FORMAT}"):
            way(tmp_path)
    altered(tmp_path, f"pragma user_version = {FORMAT}")
    with closing(SqliteStore(tmp_path)) as store:
        assert loaded(store) == (3, []), "a refusal lets go of the directory and changes nothing"


def test_the_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    altered(
        tmp_path,
        "create table letters (text)",
        "insert into letters values ('dear')",
        "pragma application_id = 77",
    )
    for way in (SqliteStore, SqliteStore.look):
        with pytest.raises(ConfigError, match="database of something else"):
            way(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("select text from letters").fetchall() == [("dear",)]


def test_a_database_without_a_mark_is_somebody_elses_too(tmp_path: Path) -> None:
    altered(tmp_path, "create table letters (text)")
    with pytest.raises(ConfigError, match="database of something else"):
        SqliteStore(tmp_path)


def test_what_is_no_database_is_set_aside_and_every_load_says_so(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / FILE).write_bytes(b"no database " * 1000)
        (tmp_path / f"{FILE}-wal").write_bytes(b"nor a log")
        with closing(SqliteStore(tmp_path)) as store:
            for log in (LOG, "llm/1"):
                sequence, complaints = loaded(store, log)
                assert sequence is None and f"set aside as {FILE}.unreadable-{number}" in complaints[0]
            store.save(LOG, checkpoint(1, [b"x"], store.claim(LOG)), [b"x"])
        assert (tmp_path / f"{FILE}.unreadable-{number}").read_bytes() == b"no database " * 1000


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="state directory"):
        SqliteStore(tmp_path / "file" / "state")


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        filled(tmp_path / "deep" / "state")
        with closing(SqliteStore(tmp_path / "deep" / "state")) as store:
            store.claim(LOG)
            modes = {
                each.name: stat.S_IMODE(each.stat().st_mode)
                for each in (tmp_path / "deep" / "state").iterdir()
            }
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "deep" / "state").stat().st_mode) == 0o700
    assert set(modes) >= {FILE, f"{FILE}-wal", "lock"} and set(modes.values()) == {0o600}


# SIGKILL.

SAVE = """
import os, sys
from pathlib import Path
from tocsin.checkpoint import SqliteStore, digest
from tocsin.contracts import Checkpoint
store = SqliteStore(Path(sys.argv[1]))
epoch = store.claim("llm/0")
saved, complaints = store.load("llm/0")
assert not complaints, complaints
sequence = saved.checkpoint.sequence if saved else 0
while True:
    sequence += 1
    chunks = [sequence.to_bytes(8, "big") * 3000, b"end of %d" % sequence]
    store.save("llm/0", Checkpoint(
        sequence=sequence, base=max(1, sequence - 3), next_offset=sequence * 10, clock=1.0, epoch=epoch,
        config_hash="c", versions={}, chunks=2, sha256=digest(chunks)), chunks)
    os.write(1, b"%d\\n" % sequence)
"""


def killed(directory: Path, seconds: float) -> int:
    """The last sequence that a process acknowledged before it was killed; 0: none."""
    command = [sys.executable, "-c", SAVE, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as saver:
        assert saver.stdout is not None
        first = saver.stdout.readline()
        time.sleep(seconds)
        saver.send_signal(signal.SIGKILL)
        told = (first + saver.stdout.read()).split(b"\n")[:-1]
    assert saver.returncode == -signal.SIGKILL
    return int(told[-1])


def test_a_kill_at_any_moment_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    chance = random.Random(21)
    for _ in range(15):
        acknowledged = killed(tmp_path, chance.random() * 0.03)
        with closing(SqliteStore(tmp_path)) as store:
            saved, complaints = store.load(LOG)
        assert saved is not None and not complaints
        sequence = saved.checkpoint.sequence
        assert acknowledged <= sequence <= acknowledged + 1
        wanted = range(max(1, sequence - 3), sequence + 1)
        assert list(saved.chunks) == [
            chunk for number in wanted for chunk in (number.to_bytes(8, "big") * 3000, b"end of %d" % number)
        ]


# The disk.

FULL = """
import resource, signal, sys
from pathlib import Path
from tocsin.checkpoint import SqliteStore, digest
from tocsin.contracts import Checkpoint, StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path(sys.argv[1]))
epoch = store.claim("llm/0")

def save(sequence, size):
    chunks = [bytes([sequence]) * size]
    store.save("llm/0", Checkpoint(
        sequence=sequence, base=sequence, next_offset=0, clock=1.0, epoch=epoch, config_hash="c",
        versions={}, chunks=1, sha256=digest(chunks)), chunks)

def sequence():
    saved, complaints = store.load("llm/0")
    assert not complaints, complaints
    return saved.checkpoint.sequence

save(1, 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for _ in range(3):
    try:
        save(2, 1_000_000)
    except StoreUnavailable as error:
        print(error)
    else:
        sys.exit("the file grew")
    assert sequence() == 1
save(2, 1000)
assert sequence() == 2
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
save(3, 1_000_000)
assert sequence() == 3
"""


def test_a_disk_that_takes_no_more_is_told_and_made_good(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("save: ") == 3
    with closing(SqliteStore(tmp_path)) as store:
        assert loaded(store) == (3, [])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[list[str]]:
    """A command prefix that runs what follows where `tmp_path` is a file system of 512 KiB."""
    mount = f'mount -t tmpfs -o size=512k none {tmp_path} && exec "$@"'
    prefix = ["unshare", "-rm", "sh", "-c", mount, "sh"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount")
    yield prefix


LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, ({}, resource.RLIM_INFINITY))"
FULL_DISK = FULL.replace(
    LIMIT.format("200_000"),
    "ballast = Path(sys.argv[1], 'ballast'); ballast.write_bytes(bytes(300_000))",
).replace(
    LIMIT.format("resource.RLIM_INFINITY") + "\nsave(3, 1_000_000)",
    "ballast.unlink()\nsave(3, 200_000)",
)


def test_a_full_file_system_is_told_and_made_good(tmp_path: Path, small_disk: list[str]) -> None:
    run = subprocess.run(
        [*small_disk, sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("save: database or disk is full") == 3
