"""`tocsin demo`: hours of a simulated fleet through the real pipeline, and what came of it against the truth.

Everything is as in production but for the places: the log is a file, ClickHouse is embedded.
"""

from __future__ import annotations

import argparse
import glob
import gzip
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tocsin import config, pipeline, registry
from tocsin.commands.terminal import Progress, say
from tocsin.contracts import ConfigError
from tocsin.exits import OK, PROBLEMS
from tocsin.simulator import Simulator, native
from tocsin.simulator.judge import Judgement, Told, Verdict, judge

HOURS = 6
MARK = "# Made by `tocsin demo`, which overwrites this directory."
MADE = ("database", "state", "traffic.jsonl.gz", "truth.json", "tocsin.toml")
FIELDS = ("application", "key", "agent", "session", "user", "api_key", "tool", "model")
ALERTS = f"""\
SELECT detector_type, toString(severity), summary, toUnixTimestamp64Milli(first_seen) / 1000,
    {", ".join(FIELDS)}
FROM alerts WHERE revision = 1 ORDER BY first_seen, id"""

CONFIG = """\
{mark}

[source]
type = "file"
paths = ["{traffic}"]

[content]
mode = "excerpt"
key = "no secret: everything here is invented"

[checkpoints]
type = "sqlite"
directory = "{directory}/state"

[sinks.clickhouse]
url = "chdb://{directory}/database"

[operations]
listen = ""
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and which traffic."""
    parser.add_argument("--dir", type=Path, default=Path("demo"), help="default: ./demo; overwritten")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another day; default: 7")
    parser.add_argument(
        "--rate", type=float, default=4.0, help="mean events per simulated second; default: 4"
    )


def run(options: argparse.Namespace) -> int:
    """Simulate, run, compare; PROBLEMS when an incident that must be found was not."""
    directory = fresh(options.dir)
    simulator = Simulator(
        seed=options.seed, start=yesterday(), duration_seconds=HOURS * 3600.0, rate=options.rate
    )
    with progress() as line:
        count = simulate(simulator, directory, line)
    settings = config.load(directory / "tocsin.toml")
    migrate(settings)
    began = time.monotonic()
    with progress() as line:
        pipeline.build(settings).run(threading.Event(), line.tell(lambda passed: f"Detecting: {passed}"))
    seconds = time.monotonic() - began
    judgement = judge(simulator.truth, alerts(settings))
    report(judgement, simulator.start)
    say()
    say(
        f"{count:,} events of {HOURS} hours went through in {seconds:.1f} s: {count / seconds:,.0f} events/s."
    )
    where_to_look(options.dir)
    return PROBLEMS if any(verdict.failed for verdict in judgement.verdicts) else OK


def fresh(directory: Path) -> Path:
    """The directory without an earlier demo. Raises ConfigError where it holds anything else."""
    directory = directory.absolute()
    if any(character in str(directory) for character in '"\\\n'):
        raise ConfigError([f"--dir {str(directory)!r}: choose a name without quotes and backslashes"])
    if directory.exists() and any(directory.iterdir()) and not _is_ours(directory):
        raise ConfigError([f"--dir {directory}: holds something that is no demo; choose another directory"])
    for name in MADE:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    traffic = glob.escape(f"{directory}/traffic.jsonl.gz")
    (directory / "tocsin.toml").write_text(CONFIG.format(mark=MARK, directory=directory, traffic=traffic))
    return directory


def _is_ours(directory: Path) -> bool:
    config_file = directory / "tocsin.toml"
    return config_file.is_file() and config_file.read_text().startswith(MARK)


def yesterday() -> float:
    """8 o'clock UTC of the day before this one: recent enough to be kept, and over."""
    today = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=1)).timestamp()


def simulate(simulator: Simulator, directory: Path, line: Progress) -> int:
    """Write traffic and truth; how many events there are."""
    truth = msgspec.json.format(msgspec.json.encode(simulator.truth), indent=1)
    (directory / "truth.json").write_bytes(truth + b"\n")
    count = 0
    with gzip.open(directory / "traffic.jsonl.gz", "wb", compresslevel=1) as output:
        for count, event in enumerate(simulator.events(), 1):
            output.write(native(event) + b"\n")
            if count % 1000 == 0:
                hours = (event.time - simulator.start) / 3600
                line.show(f"Simulating: {count:,} events, {hours:.1f} of {HOURS} hours")
    return count


def migrate(settings: config.Config) -> None:
    """Make the tables."""
    registry.resolve("sinks.clickhouse_migrate:migrate")(settings.sinks["clickhouse"])


def alerts(settings: config.Config) -> list[Told]:
    """The alerts as they were first told, read from ClickHouse."""
    connection: Any = registry.resolve("sinks.clickhouse_client:Connection")(settings.sinks["clickhouse"])
    try:
        connection.client.database = connection.database
        rows = connection.client.query(ALERTS).result_rows
    finally:
        connection.close()
    return [
        Told(kind, severity, summary, seen, dict(zip(FIELDS, fields, strict=True)))
        for kind, severity, summary, seen, *fields in rows
    ]


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress line while something long goes on."""
    line = Progress()
    try:
        yield line
    finally:
        line.clear()


def report(judgement: Judgement, start: float) -> None:
    """The table of what was injected, found, missed and false."""
    attacks = [verdict for verdict in judgement.verdicts if not verdict.incident.benign]
    found = sorted((verdict for verdict in attacks if verdict.told), key=lambda each: each.incident.start)
    missed = [verdict for verdict in attacks if not verdict.told]
    benign = [verdict for verdict in judgement.verdicts if verdict.incident.benign]
    say(f"Found: {len(found)} of {len(attacks)} incidents")
    for verdict in found:
        _tell(verdict, start)
    say()
    say(f"Missed: {len(missed)}")
    for verdict in missed:
        reason = "this had to be found" if verdict.failed else verdict.incident.note
        say(f"  {_clock(verdict.incident.start - start)}  {verdict.incident.title}")
        say(f"         ({reason})")
    say()
    say(f"False alerts: {len(judgement.false)}")
    for alert, incident in judgement.false:
        about = f" ({incident.title})" if incident else ""
        say(f"  {_clock(alert.first_seen - start)}  {alert.detector}: {alert.summary}{about}")
    for verdict in benign:
        if not verdict.told:
            say(f"  {_clock(verdict.incident.start - start)}  rightly quiet about: {verdict.incident.title}")


def _tell(verdict: Verdict, start: float) -> None:
    first, *more = verdict.told
    when = _span(verdict.delay_seconds or 0.0)
    say(f"  {_clock(verdict.incident.start - start)}  {verdict.incident.title}")
    say(f"         {when}, {first.detector}, {first.severity}: {first.summary}")
    if more:
        say(f"         and {len(more)} more")


def _clock(seconds: float) -> str:
    return f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}"


def _span(seconds: float) -> str:
    if seconds < 1.0:
        return "at once"
    return f"after {seconds:.0f} s" if seconds < 120 else f"after {seconds / 60:.0f} min"


def where_to_look(directory: Path) -> None:
    """Commands that go on from here."""
    query = "SELECT severity, detector, key, summary FROM tocsin.alerts_current ORDER BY first_seen"
    client = f"clickhouse_connect.get_client(interface='chdb', path='{directory}/database')"
    say()
    say("Look at it:")
    programs = min(os.path.relpath(Path(sys.executable).parent), str(Path(sys.executable).parent), key=len)
    program = f"import clickhouse_connect; print({client}.query_df('{query}').to_string())"
    say(f'  {programs}/python -c "{program}"')
    say(f"  {programs}/tocsin state show -c {directory}/tocsin.toml")
    say(f"  zcat {directory}/traffic.jsonl.gz | head -1     what went in")
    say(f"  less {directory}/truth.json     what was hidden in it")
