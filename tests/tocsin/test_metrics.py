"""Numbers for Prometheus: all of them listed, none misspelt, never too many."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin import metrics
from tocsin.metrics import LABEL_CHARACTERS, METRICS, Metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
COUNTER, GAUGE, SECONDS = "tocsin_events_total", "tocsin_lag_records", "tocsin_write_seconds"


def samples(shown: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scrape finds."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(shown.text().decode())
        for sample in family.samples
    }


def test_names_are_unique_and_say_their_kind() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert re.fullmatch(r"tocsin_[a-z_]+", metric.name) and metric.meaning
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_seconds") or metric.kind != "seconds"


def test_the_page_is_generated() -> None:
    assert PAGE.read_text() == metrics.page()
    assert all(f"| `{metric.name}` |" in metrics.page() for metric in METRICS)


def test_every_metric_is_served_with_its_meaning() -> None:
    shown = Metrics()
    families = {family.name: family for family in text_string_to_metric_families(shown.text().decode())}
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert family.documentation == metric.meaning
        assert family.type == ("histogram" if metric.kind == "seconds" else metric.kind)
    assert "process_resident_memory_bytes" in families


def test_what_is_told_is_what_is_scraped() -> None:
    shown = Metrics()
    shown.count(COUNTER, format="otlp")
    shown.count(COUNTER, 4, format="otlp")
    shown.count("tocsin_checkpoints_total")
    shown.gauge(GAUGE, 7, partition="llm/0")
    shown.gauge(GAUGE, 5, partition="llm/0")
    shown.observe(SECONDS, 0.2, sink="s")
    shown.observe(SECONDS, 45.0, sink="s")
    found = samples(shown)
    assert found[COUNTER, (("format", "otlp"),)] == 5
    assert found["tocsin_checkpoints_total", ()] == 1
    assert found[GAUGE, (("partition", "llm/0"),)] == 5
    assert found[f"{SECONDS}_count", (("sink", "s"),)] == 2
    assert found[f"{SECONDS}_bucket", (("le", "0.2"), ("sink", "s"))] == 1
    assert found[f"{SECONDS}_sum", (("sink", "s"),)] == pytest.approx(45.2)


def test_values_and_totals_can_be_asked_for() -> None:
    shown = Metrics()
    shown.count(COUNTER, 2, format="otlp")
    shown.count(COUNTER, 3, format="native")
    shown.observe(SECONDS, 1.0, sink="s")
    assert shown.value(COUNTER, format="otlp") == 2 and shown.total(COUNTER) == 5
    assert shown.value(SECONDS, sink="s") == 1
    assert shown.value(COUNTER, format="never") == 0 and shown.total(GAUGE) == 0


def test_a_gauge_can_be_forgotten() -> None:
    shown = Metrics()
    shown.gauge(GAUGE, 7, partition="llm/0")
    shown.gauge(GAUGE, 8, partition="llm/1")
    shown.forget(GAUGE, partition="llm/0")
    shown.forget(GAUGE, partition="never")
    assert shown.total(GAUGE) == 8
    assert (GAUGE, (("partition", "llm/0"),)) not in samples(shown)


@pytest.mark.parametrize("name", ["tocsin_event_total", "events", "", GAUGE])
def test_a_misspelt_name_is_a_bug(name: str) -> None:
    with pytest.raises(KeyError):
        Metrics().count(name, partition="p")


@pytest.mark.parametrize(
    "labels", [{}, {"formats": "otlp"}, {"format": "otlp", "tenant": "t"}, {"part": "ingest"}]
)
def test_labels_that_are_not_its_own_are_a_bug(labels: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        Metrics().count(COUNTER, 1, **labels)


def test_the_series_of_a_metric_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SERIES", 50)
    shown = Metrics()
    for number in range(550):
        shown.count(COUNTER, format=f"f{number}")
    shown.count(COUNTER, format="f0")
    found = {labels: value for (name, labels), value in samples(shown).items() if name == COUNTER}
    assert len(found) == 51
    assert found[("format", "other"),] == 500 and found[("format", "f0"),] == 2
    assert shown.total(COUNTER) == 551


def test_hostile_labels_are_harmless_and_short() -> None:
    shown = Metrics()
    hostile = ['\x1b[2J"} 1\n\\', "\ud800", "\u202etxet", "a" * 10_000, "\x00", ""]
    for value in hostile:
        shown.count(COUNTER, format=value)
    text = shown.text().decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800]", text)
    labels = [dict(labels)["format"] for (name, labels), _ in samples(shown).items() if name == COUNTER]
    assert len(labels) == len(hostile) and max(map(len, labels)) < LABEL_CHARACTERS + 30


def test_threads_lose_no_count() -> None:
    shown = Metrics()

    def work() -> None:
        for number in range(2000):
            shown.count(COUNTER, format=f"f{number % 7}")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert samples(shown)
    for thread in threads:
        thread.join()
    assert shown.total(COUNTER) == 8000
