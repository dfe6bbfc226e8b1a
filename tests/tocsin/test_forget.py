"""What was learnt about somebody is gone from every checkpoint that can be loaded, and from the file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from parts.clickhouse_rows import Database
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh
from parts.watchers import lively, plan

from ingest.kafka_store import KafkaCheckpoints
from sinks.clickhouse import ClickHouse
from tocsin.__main__ import main
from tocsin.checkpoint import SqliteStore
from tocsin.core import PartitionState, Plan, Unpacked, step
from tocsin.exits import PROBLEMS
from tocsin.forget import Subject, forget, supersede
from tocsin.model import Event, Message

NOON = 1.8e9
LOG = "log/0"


def fed(configured: Plan, *events: Event) -> PartitionState:
    state = PartitionState.fresh(configured, "log", 0)
    step(configured, state, [Unpacked(n, n + 1, NOON + n, [event], 1) for n, event in enumerate(events)])
    return state


def kept(state: PartitionState) -> bytes:
    """Everything that the state would be saved as."""
    entries = (
        section.keep(entry)
        for group in state.groups
        for _, section in group.sections()
        for _, entry in section.items()
    )
    return b"".join(entry.key.encode() + entry.value for entry in entries)


def test_everything_under_a_name_goes_and_nothing_else() -> None:
    events = [
        Event(
            tenant="t",
            user=user,
            session=f"s-{user}",
            error_message=f"no {user}",
            input=(Message("user", "x"),),
        )
        for user in ("ada.lovelace", "bob") * 6
    ]
    half = Event(tenant="t", user="ada.lovelace", join="j", half="span")
    state = fed(plan(), *events, half, Event(tenant="other", user="ada.lovelace"))
    before = sum(count.keys for count in state.describe())
    removed = forget(state, Subject("t", frozenset({"ada.lovelace"}), frozenset({"s-ada.lovelace"})))
    assert removed["history"] == 1 and removed["assembly"] == 1
    assert any(name.startswith("detector:") for name in removed)
    assert sum(count.keys for count in state.describe()) == before - removed.total()
    ours = [group for group in state.groups if group.tenant == "t"]
    assert all("bob" in dict(group.watches[0].section.items()) for group in ours)
    state.groups.drop([group for group in state.groups if group.tenant != "t"])
    assert b"ada.lovelace" not in kept(state) and b"bob" in kept(state)


def test_a_name_inside_another_is_not_the_name() -> None:
    state = fed(plan(), Event(tenant="t", user="annabel"), Event(tenant="t", user="joanna"))
    assert not forget(state, Subject("t", frozenset({"anna"})))


def test_no_checkpoint_that_can_be_loaded_holds_it(tmp_path: Path) -> None:
    configured = plan()
    state = PartitionState.fresh(configured, "log", 0)
    with closing(SqliteStore(tmp_path)) as store:
        epoch = store.claim(LOG)
        for record in lively(60, 1):
            step(configured, state, [record, Unpacked(record.offset, record.next_offset, None, [
                Event(tenant="t", user="ada.lovelace")], 1)])  # fmt: skip
            checkpoint, chunks = state.checkpoint(epoch)
            store.save(LOG, checkpoint, chunks)
            state.saved(checkpoint.sequence)
        assert b"ada.lovelace" in written(tmp_path)
        others = counted(state)
        assert forget(state, Subject("t", frozenset({"ada.lovelace"})))
        supersede(store, LOG, state)
        assert b"ada.lovelace" not in written(tmp_path)
        saved, complaints = store.load(LOG)
        assert saved is not None and not complaints
        restored, cold = PartitionState.restore(configured, "log", 0, saved)
        assert not cold and counted(restored) == others
        assert restored.next_offset == state.next_offset


def counted(state: PartitionState) -> list[tuple[str, str, str, int]]:
    """How much is kept of all but the subject's tenant."""
    return [(c.tenant, c.application, c.section, c.keys) for c in state.describe() if c.tenant != "t"]


def written(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


@pytest.mark.kafka
def test_checkpoints_in_a_topic_are_superseded_too(kafka: KafkaServer) -> None:
    configured = plan()
    state = fed(configured, *(Event(tenant="t", user=user) for user in ("ada.lovelace", "bob") * 4))
    settings = KafkaCheckpoints(brokers=kafka.brokers, topic=fresh("state"), replication=1)
    with closing(settings.open()) as store:
        checkpoint, chunks = state.checkpoint(store.claim(LOG))
        store.save(LOG, checkpoint, chunks)
        state.saved(checkpoint.sequence)
        assert forget(state, Subject("t", frozenset({"ada.lovelace"})))
        supersede(store, LOG, state)
    with closing(settings.open()) as store:
        saved, complaints = store.load(LOG)
    assert saved is not None and not complaints
    held = b"".join(saved.chunks)
    assert b"bob" in held and b"ada.lovelace" not in held


CONFIG = """
[source]
type = "file"
paths = ["{directory}/traffic.jsonl"]

[content]
key = "k"

[privacy]
keys = {{ u1 = "a secret of some length" }}

[operations]
listen = ""

[checkpoints]
directory = "{directory}/state"

[sinks.clickhouse]
url = "chdb://{directory}/database"
fsync = "off"

[sinks.console]
"""


@pytest.mark.clickhouse
def test_the_command_says_what_went_and_what_remains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tocsin.toml"
    config.write_text(CONFIG.format(directory=tmp_path))
    lines = (
        {"tocsin": 1, "time": 1.75e9 + n, "user": user, "session": f"s{user}", "model": "m",
         "span_id": f"{n}", "trace_id": f"{n}", "input": [{"role": "user", "text": f"question {n}"}]}
        for n, user in enumerate(("ada", "bob") * 10)
    )  # fmt: skip
    (tmp_path / "traffic.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["migrate", "-c", str(config)]) == 0
    assert main(["run", "-c", str(config)]) == 0
    capsys.readouterr()
    assert main(["forget", "-c", str(config), "--subject", "ada"]) == 0
    said = capsys.readouterr().out
    assert "deleted 10 events" in said and "sinks.console: cannot forget" in said
    assert "forgot 1 of detector:" in said and "10 of history" not in said and "history" in said
    assert "not in reach" in said and "ada" not in said
    database = Database(ClickHouse(url=f"chdb://{tmp_path}/database", fsync="off"))
    with closing(database.connection):
        assert database.one("SELECT count() FROM @events") == 10
        assert database.one("SELECT uniqExact(user) FROM @events") == 1
    assert main(["forget", "-c", str(config), "--subject", "ada"]) == 0
    assert "deleted 0 events" in capsys.readouterr().out
    assert main(["run", "-c", str(config)]) == 0  # nothing comes back


def test_state_in_use_is_said_and_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tocsin.toml"
    config.write_text(CONFIG.format(directory=tmp_path))
    assert main(["migrate", "-c", str(config)]) == 0
    with closing(SqliteStore(tmp_path / "state")):
        assert main(["forget", "-c", str(config), "--subject", "ada"]) == PROBLEMS
    said = capsys.readouterr()
    assert "state is not touched" in said.err and "stop the worker" in said.err
    assert "deleted 0 events" in said.out
