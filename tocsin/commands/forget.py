"""Delete what is stored about one person, and say what remains.

Rows of every sink, under the identity itself and under its pseudonyms of all configured keys; conversations
that were theirs alone; alerts about them; state that was learnt about them. Stop the workers first: a
running one holds state that nobody else can change, and replays rows since its last checkpoint after a crash.
"""

from __future__ import annotations

import argparse

from tocsin import config
from tocsin.commands.terminal import configured, say, warn
from tocsin.contracts import CheckpointStore, ConfigError, SinkRefused, SinkUnavailable, TocsinError
from tocsin.exits import OK, PROBLEMS
from tocsin.forget import Subject, forget, supersede
from tocsin.names import Names
from tocsin.pseudonym import Pseudonyms
from tocsin.reading.redaction import Redactor
from tocsin.state import PartitionState

REMAINS = """\
not in reach of this command:
  source topics and files, until their retention
  the exchange and the journal, until what they hold was worked off: sealed when [encryption] is configured
  dead letters, which hold redacted samples, until their topic's retention
  alerts that were printed or sent, backups, copies made by others"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and whose."""
    configured(parser)
    parser.add_argument(
        "--subject",
        required=True,
        metavar="ID",
        help="user, API key, address or session, as producers send it",
    )
    parser.add_argument("--tenant", default="", metavar="TENANT", help="default: the one of [groups]")


def run(options: argparse.Namespace) -> int:
    """Forget them."""
    settings = config.load(options.config)
    if not options.subject.strip():
        raise ConfigError(["--subject: is empty"])
    if settings.groups.tenant_from_payload and not options.tenant:
        raise ConfigError(["--tenant: events name their own tenants here, so say which"])
    tenant = options.tenant or settings.groups.tenant
    names = _names(settings, tenant, options.subject)
    say(f"tenant {tenant}: looking for {len(names)} names of the subject")
    store = _store(settings)
    try:
        conversations, complete = _rows(settings, tenant, names)
        complete = _states(settings, store, Subject(tenant, names, conversations)) and complete
    finally:
        if store is not None:
            store.close()
    say(REMAINS)
    return OK if complete else PROBLEMS


def _names(settings: config.Config, tenant: str, identity: str) -> frozenset[str]:
    """Everything that the redact step may have made of an identity."""
    cleaned = Names(Redactor(), settings.content.key)
    return frozenset(
        {identity, cleaned.clean(identity), cleaned.secretless(identity)}
        | {*Pseudonyms(settings.privacy).all(tenant, identity)}
    )


def _store(settings: config.Config) -> CheckpointStore | None:
    """The store, this command's alone; None where somebody has it."""
    try:
        store: CheckpointStore = settings.checkpoints.open()
    except (ConfigError, TocsinError) as error:
        warn(f"state is not touched: {error}; stop the worker and run this again")
        return None
    return store


def _rows(settings: config.Config, tenant: str, names: frozenset[str]) -> tuple[frozenset[str], bool]:
    """Deletes rows; the conversations that were found, and whether every sink did its part."""
    conversations: set[str] = set()
    complete = True
    for name, sink in settings.sinks.items():
        try:
            writer = sink.open()
        except (SinkUnavailable, SinkRefused) as error:
            warn(f"sinks.{name}: nothing was deleted: {error}")
            complete = False
            continue
        try:
            forgotten = writer.forget(tenant, names)
        finally:
            writer.close()
        if forgotten is None:
            say(f"sinks.{name}: cannot forget; what it was given before is out of reach")
            continue
        conversations.update(forgotten.conversations)
        rows = ", ".join(f"{count:,} {table}" for table, count in forgotten.rows.items())
        say(f"sinks.{name}: deleted {rows}; {len(forgotten.conversations):,} conversations were theirs alone")
        if forgotten.mentions:
            say(f"sinks.{name}: {forgotten.mentions:,} rows about others have the name in a text: they stay")
    return frozenset(conversations), complete


def _states(settings: config.Config, store: CheckpointStore | None, subject: Subject) -> bool:
    if store is None:
        return False
    complete = True
    for log in store.logs():
        saved, complaints = store.load(log)
        if saved is not None:
            log_id, _, number = log.rpartition("/")
            state, more = PartitionState.restore(settings.plan, log_id, int(number), saved)
            complaints = [*complaints, *more]
            removed = forget(state, subject)
            supersede(store, log, state)
            found = ", ".join(f"{count:,} of {name}" for name, count in sorted(removed.items())) or "nothing"
            say(f"state of {log}: forgot {found}")
        for complaint in complaints:
            warn(f"state of {log}: {complaint}")
            complete = False
    return complete
