"""What holds for every format of providers and gateways, whatever stands in a document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import pace
from parts.golden import GOLDEN, cases

from ingest import DECODERS
from ingest.leaf import Leaf
from ingest.recognise import Recogniser
from tocsin import registry
from tocsin.model import Event, Reject
from tocsin.settings import LimitSettings

NAMES = (
    "litellm", "openai", "anthropic", "gemini", "converse", "bedrock", "azure_openai", "azure_apim", "envoy",
    "kong", "helicone", "vertex",
)  # fmt: skip
LEAVES: dict[str, type[Leaf]] = {name: registry.resolve(DECODERS[name]) for name in NAMES}
SECRET = "not-to-be-kept"
NARROW = LimitSettings(messages=3, text_characters=256, attributes=2, attribute_characters=16)


def documents(name: str) -> list[dict[str, Any]]:
    found = [record for case in cases() if case.folder == name for record in case.records()]
    return [json.loads(record) for record in found]


EVERY = [(name, document) for name in NAMES for document in documents(name)]
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1e300,
    "",
    "x",
    "-",
    "\ufffd",
    [],
    {},
    [[]],
    [None, 5],
    {"a": {"b": [1]}},
    "[{",
    '{"a":1}',
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


@pytest.mark.parametrize("name", NAMES)
def test_any_value_may_be_of_another_type(name: str) -> None:
    leaf = LEAVES[name]()
    for document in documents(name)[:12]:
        for number, path in enumerate(list(places(document))[:400]):
            changed = deepcopy(document)
            put(changed, path, deepcopy(JUNK[number % len(JUNK)]))
            if leaf.fits(changed):
                for item in leaf.safely(changed).items:
                    assert isinstance(item, Event), (path, item)
                    msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=Event)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EVERY), st.randoms(use_true_random=False))
def test_any_values_may_be_of_any_types(one: tuple[str, dict[str, Any]], random: Any) -> None:
    name, document = one
    changed = deepcopy(document)
    paths = list(places(changed))
    for path in random.sample(paths, min(6, len(paths))):
        try:
            put(changed, path, deepcopy(random.choice(JUNK)))
        except (KeyError, IndexError, TypeError):
            continue  # a place in what was replaced before
    leaf = LEAVES[name]()
    fits = [each.name for each in LEAVES.values() if each.fits(changed)]
    assert len(fits) <= 1
    if name in fits:
        assert all(isinstance(item, Event | Reject) for item in leaf.safely(changed).items)


@pytest.mark.parametrize("name", NAMES)
def test_limits_hold(name: str) -> None:
    leaf = LEAVES[name](NARROW)
    for document in documents(name):
        for event in leaf.read(document).items:
            assert isinstance(event, Event)
            assert len(event.input) <= 3 and len(event.output) <= 3
            assert all(len(message.text) <= 256 for message in (*event.input, *event.output))
            assert len(event.attributes) <= 2
            assert all(len(value) <= 16 for value in event.attributes.values())


def test_long_texts_are_cut_and_marked() -> None:
    body = {"role": "assistant", "content": "x" * 1000}
    document = {
        "request": {"model": "m", "messages": [{"role": "user", "content": "y" * 1000}] * 5},
        "response": {"object": "chat.completion", "choices": [{"message": body}]},
    }
    (event,) = LEAVES["openai"](NARROW).read(document).items
    assert isinstance(event, Event) and event.truncated
    assert [len(message.text) for message in (*event.input, *event.output)] == [256] * 4


def test_credentials_are_looked_for_nowhere() -> None:
    given = "".join(path.read_text() for name in NAMES for path in (GOLDEN / name).glob("*.in.json*"))
    told = "".join(path.read_text() for name in NAMES for path in (GOLDEN / name).glob("*.out.json"))
    assert given.count(SECRET) > 5 and SECRET not in told


@pytest.mark.parametrize("name", NAMES)
def test_each_has_success_error_and_nonsense(name: str) -> None:
    told = [msgspec.json.decode(path.read_bytes()) for path in (GOLDEN / name).glob("*.out.json")]
    states = {event.get("status", "ok") for events in told for event in events}
    assert "ok" in states
    assert name == "azure_apim" or not states.isdisjoint({"error", "blocked"})
    assert (GOLDEN / name / "wrong-types.in.json").exists() or name == "converse"


def stream(pieces: int) -> bytes:
    """A streamed answer of about a mebibyte, in a record."""
    chunk = {
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}],
    }  # fmt: skip
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for _ in range(pieces))
    request = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    return json.dumps({"request": request, "response": body}).encode()


def test_a_mebibyte_of_stream_takes_its_time_and_no_more() -> None:
    record = stream(5000)
    assert 900_000 < len(record) < 1_048_576
    assert pace.seconds(lambda: Recogniser().decode(record)) < 0.05


def test_a_streamed_answer_is_whole() -> None:
    (event,) = Recogniser().decode(stream(5000)).items
    assert isinstance(event, Event) and event.output[0].text == "word " * 5000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [62, 70, 500, 1000])
def test_depth_is_limited(name: str, depth: int) -> None:
    document = documents(name)[0]
    place = document
    for _ in range(depth):
        place["deep"] = {}
        place = place["deep"]
    items = LEAVES[name]().safely(document).items
    assert all(isinstance(item, Reject) and item.reason == "too_deep" for item in items) is (depth > 62)


@pytest.mark.parametrize("depth", [100, 300, 900, 1015, 3000])
def test_depth_in_a_text_ends_nothing(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    body = f'{{"type": "message", "stop_reason": "x", "content": [{{"type": "tool_use", "input": {deep}}}]}}'
    document = {"request": {"model": "m", "messages": [{"role": "user", "content": "x"}]}, "response": body}
    assert len(Recogniser().decode(json.dumps(document).encode()).items) == 1
