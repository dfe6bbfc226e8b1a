"""Calls without a cost get the one that the operator's table gives, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin import config
from tocsin.contracts import ConfigError
from tocsin.core import PartitionState, Plan, Unpacked, step
from tocsin.model import Event
from tocsin.prices import REMEMBERED, Prices, PriceSettings

SMALL = PriceSettings(models=("gpt-4o-mini*",), input=0.15, output=0.6, cache_read=0.075)
LARGE = PriceSettings(models=("gpt-4o*", "*claude-opus-4-5*"), input=5.0, output=25.0, cache_write=6.25)
TABLE = {"small": SMALL, "large": LARGE}


def priced(**fields: Any) -> Event:
    event = Event(**{"input_tokens": 1000, "output_tokens": 100, **fields})
    Prices(TABLE).apply(event)
    return event


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-4o", 0.0075),
        ("GPT-4o-2024-08-06", 0.0075),
        ("gpt-4o-mini-2024-07-18", 0.00021),
        ("openai/gpt-4o-mini", 0.00021),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", 0.0075),
    ],
)
def test_the_longest_name_that_fits_decides(model: str, cost: float) -> None:
    event = priced(model=model)
    assert (event.cost_usd, event.cost_source) == (cost, "priced")


def test_the_model_that_answered_is_the_one_that_is_paid() -> None:
    assert priced(model="gpt-4o", response_model="gpt-4o-mini-2024-07-18").cost_usd == 0.00021


def test_cached_tokens_have_prices_of_their_own_or_that_of_the_others() -> None:
    small = priced(model="gpt-4o-mini", cache_read_tokens=400)
    assert small.cost_usd == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6)
    large = priced(model="gpt-4o", cache_read_tokens=400, cache_write_tokens=100)
    assert large.cost_usd == pytest.approx((500 * 5 + 400 * 5 + 100 * 6.25 + 100 * 25) / 1e6)


def test_more_cached_tokens_than_tokens_cost_no_less_than_nothing() -> None:
    cost = priced(model="gpt-4o", input_tokens=1, output_tokens=0, cache_read_tokens=400).cost_usd
    assert cost == 400 * 5 / 1e6


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "unheard-of"},
        {"model": ""},
        {"model": "gpt-4o", "input_tokens": None},
        {"model": "gpt-4o", "output_tokens": None},
        {"model": "gpt-4o", "kind": "tool"},
        {"model": "gpt-4o", "kind": "agent"},
        {"model": "xgpt-4o"},
    ],
)
def test_nothing_is_invented(fields: dict[str, Any]) -> None:
    event = priced(**fields)
    assert (event.cost_usd, event.cost_source) == (None, "")


def test_what_the_source_reports_stands() -> None:
    event = priced(model="gpt-4o", cost_usd=0.0, cost_source="reported")
    assert (event.cost_usd, event.cost_source) == (0.0, "reported")


def test_embeddings_have_no_output() -> None:
    assert priced(model="gpt-4o", operation="embeddings", output_tokens=None).cost_usd == 0.005


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "anything", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*b*b*", "ab", False),
        ("a.b", "axb", False),
        ("exact", "exactly", False),
    ],
)
def test_stars_stand_for_anything(pattern: str, name: str, fits: bool) -> None:
    event = Event(model=name, input_tokens=1, output_tokens=1)
    Prices({"one": PriceSettings(models=(pattern,), input=1.0)}).apply(event)
    assert (event.cost_usd is not None) is fits


def test_names_that_others_invent_are_not_kept() -> None:
    prices = Prices(TABLE)
    for number in range(3 * REMEMBERED):
        prices.apply(Event(model=f"gpt-4o-{number}", input_tokens=1, output_tokens=1))
    assert len(prices._known) <= REMEMBERED


def test_the_order_of_the_table_decides_nothing() -> None:
    for table in (TABLE, dict(reversed(TABLE.items()))):
        event = Event(model="gpt-4o-mini", input_tokens=1_000_000, output_tokens=0)
        Prices(table).apply(event)
        assert event.cost_usd == 0.15


FILE = {
    "source": {"type": "file", "paths": ["events.jsonl"]},
    "sinks": {"console": {}},
    "content": {"key": "a secret key"},
}


def test_prices_stand_in_tables_of_the_configuration() -> None:
    prices = {"mini": {"models": ["gpt-4o-mini*"], "input": 0.15, "output": 0.6}}
    made = config.read({**FILE, "prices": prices}, {}, embedded=True)
    assert made.prices == {"mini": PriceSettings(models=("gpt-4o-mini*",), input=0.15, output=0.6)}
    assert made.plan.prices == made.prices
    assert made.plan.config_hash != config.read(FILE, {}, embedded=True).plan.config_hash


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"input": 1.0}, "models"),
        ({"models": ["x"]}, "input"),
        ({"models": [], "input": 1.0}, "models"),
        ({"models": ["x"], "input": -1.0}, "input"),
        ({"models": ["x"], "inputs": 1.0, "input": 1.0}, "inputs"),
    ],
)
def test_mistakes_name_their_place(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read({**FILE, "prices": {"one": table}}, {}, embedded=True)
    assert any("[prices.one]" in mistake and words in mistake for mistake in caught.value.mistakes)


def test_a_call_that_two_halves_tell_has_the_cost_that_one_of_them_reported() -> None:
    call: dict[str, Any] = {
        "kind": "llm",
        "model": "gpt-4o",
        "join": "t:s",
        "input_tokens": 1000,
        "output_tokens": 100,
    }
    span = Event(**call, half="span")
    log = Event(**call, half="log", cost_usd=0.5, cost_source="reported")
    plan = Plan(prices=TABLE)
    batch = step(plan, PartitionState.fresh(plan, "log", 0), [Unpacked(0, 1, 1.8e9, [span, log], 10)])
    assert [(event.cost_usd, event.cost_source) for event in batch.events] == [(0.5, "reported")]


def test_rows_of_calls_without_a_reported_cost_are_priced() -> None:
    plan = Plan(prices=TABLE)
    event = Event(model="gpt-4o", input_tokens=1000, output_tokens=100)
    batch = step(plan, PartitionState.fresh(plan, "log", 0), [Unpacked(0, 1, 1.8e9, [event], 10)])
    assert [(row.cost_usd, row.cost_source) for row in batch.events] == [(0.0075, "priced")]
