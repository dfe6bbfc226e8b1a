"""Everything that is measured, in one run: `make bench`.

    python -m bench [--events N] [--flood N] [--only SECTION ...] [--out FILE]

Each figure comes from a process of its own; what is compared is measured alternately in the same run,
because machines are noisy: read the ratios. CPU is that of the Tocsin process, all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from parts.clickhouse_server import ClickHouseServer  # noqa: E402
from parts.kafka_server import KafkaServer  # noqa: E402

from bench import traffic  # noqa: E402
from bench.core import REAL  # noqa: E402

ROUNDS = 3
MODES = {  # path, content, what is looked for
    "floor": ("floor", "features", "rates"),
    "full": ("full", "features", "rates"),
    "excerpts": ("full", "excerpt", "rates"),
    "everything": ("full", "excerpt", "all"),
}
LOOKED_FOR = {
    "rates": "\n".join(
        [
            *("[reading]", "enabled = false", "[detectors]", "defaults = false"),
            *(f"[detectors.{name}]" for name in REAL),
        ]
    ),
    "all": "",
}
CONFIG = """
[source]
{source}
{exchange}
[content]
mode = "{content}"
[operations]
listen = ""
[checkpoints]
type = "sqlite"
directory = "{directory}/state"
[sinks.clickhouse]
url = "{url}"
"""


class Bench:
    """Runs sections and collects their figures."""

    def __init__(self, events: int, flood: int, directory: Path) -> None:
        self.events, self.flood, self.directory = events, flood, directory
        self.figures: dict[str, Any] = {
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()}
        }
        self._runs = 0
        self.lines = directory / "events.jsonl"
        traffic.write(self.lines, traffic.lines(events))

    def decode(self) -> None:
        """Each wire format beside the library's own floor, and auto-detection beside a forced format."""
        out = self.child("bench.decode", plain=True)
        table, figures = out.strip().rsplit("\n", 1)
        print(table)
        self.figures["decode"] = json.loads(figures)

    def reading(self) -> None:
        """Views and rules over texts of 1.2 KB, beside `re` for the same expressions."""
        self.figures["reading"] = json.loads(self.child("bench.reading"))
        print(f"reading: {json.dumps(self.figures['reading'])}")

    def core(self) -> None:
        """Decode, engine and the four detectors of rates and levels on the same events, in memory."""
        out = self.child("bench.core", str(self.events), "real", plain=True)
        print(out)
        self.figures["core"] = [line.strip() for line in out.splitlines()]

    def file(self) -> None:
        """From a file into the embedded engine."""
        self.compare("file", lambda: (f'type = "file"\npaths = ["{self.lines}"]', "", ""))

    def kafka(self) -> None:
        """From real Kafka into the real engine behind HTTP: direct, and through the exchange."""
        with (
            KafkaServer(self.directory / "kafka") as kafka,
            ClickHouseServer(self.directory / "ch") as server,
        ):
            kafka.create_topic("direct", 1)
            kafka.create_topic("spread", 4)
            for topic in ("direct", "spread"):
                rate = str(self.events / 4)
                self.child("bench.sender", kafka.brokers, topic, str(self.lines), rate, "5", "1000000")
            names = iter(range(1000))

            def source(topic: str, direct: bool) -> Callable[[], tuple[str, str, str]]:
                def text() -> tuple[str, str, str]:
                    run = f"run{next(names)}"
                    lines = (
                        f'type = "kafka"\nbrokers = ["{kafka.brokers}"]\ntopics = ["{topic}"]\n'
                        f'start = "earliest"\ngroup_id = "{run}"\ndirect = {str(direct).lower()}'
                    )
                    exchange = (
                        "" if direct else f'[exchange]\ntopic = "{run}"\npartitions = 4\nreplication = 1\n'
                    )
                    return lines, exchange, f"http://127.0.0.1:{server.port}/{run}"

                return text

            self.compare("kafka direct", source("direct", True))
            self.compare("kafka exchange", source("spread", False))
            direct, exchange = self.figures["kafka direct"], self.figures["kafka exchange"]
            for mode in ("floor", "full"):
                more = exchange[mode] - direct[mode]
                print(f"  the exchange costs {more:.1f} us of CPU an event more ({mode})")
                self.figures[f"exchange more, {mode}"] = more
            for pace in (2_000, 10_000):
                self.delay(kafka.brokers, pace, source(f"rate{pace}", False), kafka)

    def delay(
        self, brokers: str, rate: int, text: Callable[[], tuple[str, str, str]], kafka: KafkaServer
    ) -> None:
        """Sent to stored, through the exchange."""
        kafka.create_topic(f"rate{rate}", 4)
        config = self.config(*text())
        worker = self.start("bench.delay", str(config), "40")
        sender = self.start("bench.sender", brokers, f"rate{rate}", str(self.lines), str(rate), "25")
        sent = int(sender.communicate(timeout=120)[0])
        figures = json.loads(worker.communicate(timeout=120)[0])
        figures["sent_per_second"] = sent / 25
        self.figures[f"delay at {rate}/s"] = figures
        shown = ", ".join(f"{name} {value:,.0f}" for name, value in figures.items())
        print(f"delay at {rate}/s: {shown}")

    def memory(self) -> None:
        """100,000 active keys, and a flood of invented ones."""
        self.figures["memory"] = json.loads(self.child("bench.memory"))
        self.figures["flood"] = json.loads(self.child("bench.flood", "100000", "70000", str(self.flood)))
        for name in ("memory", "flood"):
            print(f"{name}: {json.dumps(self.figures[name])}")

    def compare(self, name: str, text: Callable[[], tuple[str, str, str]]) -> None:
        """Floor and full path, alternately: rows without text, with excerpts, and with reading as well."""
        costs: dict[str, list[float]] = {mode: [] for mode in MODES}
        rates: dict[str, list[float]] = {mode: [] for mode in MODES}
        for _ in range(ROUNDS):
            for mode, (path, content, what) in MODES.items():
                config = self.config(*text(), content=content, what=what)
                run = json.loads(self.child("bench.path", str(config), path, str(self.events)))
                costs[mode].append(run["us_of_cpu"])
                rates[mode].append(run["events_per_second"])
        figures: dict[str, float] = {mode: statistics.median(cost) for mode, cost in costs.items()}
        ratios = [floor / full for floor, full in zip(costs["floor"], costs["full"], strict=True)]
        figures["ratio"] = statistics.median(ratios)
        for mode in MODES:
            figures[f"{mode} events/s"] = statistics.median(rates[mode])
        self.figures[name] = figures
        print(
            f"{name}: floor {figures['floor']:.1f} us, full {figures['full']:.1f} us of CPU an event; "
            f"full pipeline at {figures['ratio']:.0%} of the floor [{min(ratios):.0%}-{max(ratios):.0%}], "
            f"{1e6 / figures['full']:,.0f} events/s per core; with excerpts {figures['excerpts']:.1f} us, "
            f"with reading and all detectors {figures['everything']:.1f} us"
        )

    def config(
        self, source: str, exchange: str, url: str, content: str = "features", what: str = "all"
    ) -> Path:
        """A configuration with a fresh directory and fresh tables."""
        self._runs += 1
        directory = self.directory / f"run{self._runs}"
        directory.mkdir()
        path = directory / "tocsin.toml"
        url = url or f"chdb://{directory}/db"
        values = {"source": source, "exchange": exchange, "directory": directory, "url": url}
        path.write_text(CONFIG.format(content=content, **values) + LOOKED_FOR[what])
        self.child("tocsin", "migrate", "-c", str(path), plain=True)
        return path

    def start(self, module: str, *words: str) -> subprocess.Popen[str]:
        """A process of its own."""
        command = [sys.executable, "-m", module, *words]
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

    def child(self, module: str, *words: str, plain: bool = False) -> str:
        """What it printed: all of it, or the last line."""
        process = self.start(module, *words)
        out = process.communicate(timeout=900)[0]
        assert process.returncode == 0, f"{module} {words}: exit code {process.returncode}"
        return out if plain else out.strip().splitlines()[-1]


SECTIONS = ("decode", "reading", "core", "file", "kafka", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--flood", type=int, default=10_000_000, help="invented keys")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options.events, options.flood, Path(directory))
        for section in options.only:
            getattr(bench, section)()
    options.out.write_text(json.dumps(bench.figures, indent=1) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
