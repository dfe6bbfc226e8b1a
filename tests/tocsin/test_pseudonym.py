"""Pseudonyms: the same for the same, others for other tenants; states outlive a change of keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from parts.watchers import Every, Silence, rows

from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.labels import hide_labelled, names_somebody
from tocsin.mask import mask
from tocsin.model import Batch, Event, Message
from tocsin.pseudonym import Own, Pseudonyms
from tocsin.settings import ContentSettings, DetectorOptions, PrivacySettings

START = datetime(2027, 1, 1, tzinfo=UTC)
CHANGE = START.timestamp()
DAY = 86_400.0
TWO = PrivacySettings(keys={"u1": "one secret", "u2": "another secret"}, since={"u2": START}, accept_days=7.0)


def test_one_identity_has_one_pseudonym_for_each_tenant_and_key() -> None:
    pseudonyms = Pseudonyms(TWO)
    ada = pseudonyms.name("t", "ada", 0.0)
    assert ada.startswith("u1:") and len(ada) == 35 and ada == pseudonyms.name("t", "ada", CHANGE - 1)
    others = {
        pseudonyms.name("t", "bob", 0.0),
        pseudonyms.name("another", "ada", 0.0),
        pseudonyms.name("t", "ada", CHANGE),
    }
    assert len(others | {ada}) == 4
    assert set(pseudonyms.all("t", "ada")) == {ada, pseudonyms.name("t", "ada", CHANGE)}


def test_without_keys_identities_stay_as_they_came() -> None:
    event = Event(user="ada", api_key="k-1", client_ip="203.0.113.7")
    run(Plan(), event)
    assert (event.user, event.api_key, event.client_ip) == ("ada", "k-1", "203.0.113.7")


def test_a_key_that_is_sent_as_its_own_name_is_never_kept() -> None:
    event = Event(api_key="sk-proj-Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca")
    run(Plan(), event)
    assert event.api_key.startswith("[secret:openai_key]#")


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": {"U1": "x"}},
        {"keys": {"u1": ""}},
        {"keys": {"u1": "x", "u2": "y"}},
        {"keys": {"u1": "x"}, "since": {"u2": START}},
        {"keys": {"u1": "x", "u2": "y", "u3": "z"}, "since": {"u2": START, "u3": START}},
        {"keys": {"u1": "x", "u2": "y"}, "since": {"u2": START.replace(tzinfo=None)}},
    ],
)
def test_keys_without_an_order_are_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="keys: |since: "):
        PrivacySettings(**wrong)


def run(plan: Plan, *events: Event, start: float = CHANGE - DAY) -> tuple[PartitionState, Batch]:
    """Events an hour apart."""
    state = PartitionState.fresh(plan, "log", 0)
    return state, step(plan, state, hourly(events, start))


def hourly(events: tuple[Event, ...], start: float) -> list[Unpacked]:
    return [Unpacked(n, n + 1, start + n * 3600.0, [event], 1) for n, event in enumerate(events)]


def watched(n: int = 3, **changes: Any) -> Plan:
    options = DetectorOptions(cooldown_seconds=100 * 3600.0, idle_seconds=30 * DAY)
    instances = (
        Instance("every", "every", Every(n=n), options),
        Instance("silence", "silence", Silence(), options),
    )
    settings: dict[str, Any] = {"instances": instances, "privacy": TWO}
    return Plan(**settings | changes)


def test_nothing_of_an_identity_is_left_in_rows_or_state() -> None:
    event = Event(
        user="emp-4711",
        api_key="key-one",
        client_ip="203.0.113.7",
        session="emp-4711/desk",
        error_message="emp-4711 is not allowed from 203.0.113.7",
        attributes={"user.email": "ada", "note": '{"userId": "emp-4712"}', "about": "key-one"},
        input=(Message("user", "I am emp-4711"),),
    )
    state, batch = run(watched(n=1, content=ContentSettings(mode="full")), event)
    _, chunks = state.checkpoint(1)
    everything = rows(batch) + b"".join(chunks)
    assert batch.alerts
    for identity in (b"emp-471", b"key-one", b"203.0.113.7", b'"ada"'):
        assert identity not in everything
    assert event.session == f"{event.user}/desk"
    assert event.input[0].text == f"I am {event.user}"


def test_a_changed_key_makes_nobody_new() -> None:
    events = [Event(user="ada", session="s") for _ in range(48)]
    state, batch = run(watched(n=30), *events)
    assert {event.user[:3] for event in batch.events} == {"u1:", "u2:"}
    (alert,) = [alert for alert in batch.alerts if alert.detector == "every"]
    assert alert.key.startswith("u2:") and alert.user == alert.key  # the thirtieth, six after the change
    section = next(iter(state.groups)).watches[0].section
    assert [key[:3] for key in section] == ["u2:"]


def test_an_open_alert_goes_on_under_the_new_name() -> None:
    events = [Event(user="ada") for _ in range(48)]
    state, batch = run(watched(n=10), *events)
    finish(watched(n=10), state)
    first, *later = [a for a in batch.alerts + finish(watched(n=10), state).alerts if a.detector == "every"]
    assert first.key.startswith("u1:") and all(a.id == first.id for a in later)
    page = next(iter(state.groups)).book
    assert not len(page.open) or all("u2:" in key for key in page.open)


def test_after_its_time_the_old_name_is_unknown() -> None:
    plan = watched(n=3)
    state, _ = run(plan, Event(user="ada"), Event(user="ada"), start=CHANGE - DAY)
    late = [Unpacked(9, 10, CHANGE + 8 * DAY, [Event(user="ada")], 1)]
    assert not [alert for alert in step(plan, state, late).alerts if alert.detector == "every"]


def test_a_change_of_keys_does_not_depend_on_how_batches_are_cut() -> None:
    events = tuple(
        Event(user=f"u{n % 5}", session=f"s{n % 3}", span_id=f"{n}", trace_id="t") for n in range(60)
    )
    plan = watched(n=4)
    whole, batch = run(plan, *copies(events))
    state = PartitionState.fresh(plan, "log", 0)
    pieces = [step(plan, state, [record]) for record in hourly(copies(events), CHANGE - DAY)]
    assert (
        b"".join(msgspec.json.encode(piece.events + piece.alerts) for piece in pieces)
        .replace(b"][", b",")
        .replace(b"[]", b"")
        and [a for p in pieces for a in p.alerts] == batch.alerts
    )
    assert whole.checkpoint(1)[1] == state.checkpoint(1)[1]


def copies(events: tuple[Event, ...]) -> tuple[Event, ...]:
    return tuple(replace(event) for event in events)


def test_nobody_else_says_what_somebody_was_called_before() -> None:
    event = Event(user="ada", former=(("user", "bob"),))
    run(Plan(privacy=TWO), event)
    assert event.former == ()


@pytest.mark.parametrize(
    ("label", "somebody"),
    [
        *((name, True) for name in ("user.id", "enduser.id", "user_email", "customerId", "account.uuid")),
        *((name, True) for name in ("email", "username", "client.address", "x-forwarded-for", "remote_ip")),
        *((name, False) for name in ("user_agent", "user.role", "server.address", "tool.name", "session.id")),
    ],
)
def test_labels_say_whether_they_stand_at_somebody(label: str, somebody: bool) -> None:
    assert names_somebody(label) is somebody


def test_labelled_identities_in_json_text_are_replaced() -> None:
    text = r'{"user_id": "emp-1", "inner": "{\"customerEmail\":\"a b\",\"role\":\"x\"}", "tool": "y"}'
    assert hide_labelled(text, lambda name: f"<{len(name)}>") == (
        r'{"user_id": "<5>", "inner": "{\"customerEmail\":\"<3>\",\"role\":\"x\"}", "tool": "y"}'
    )


def test_an_identity_is_hidden_as_a_word_only() -> None:
    own = Own("anna.b", "u1:x")
    assert own.hide("anna.b, (anna.b) joanna.b anna.bc") == "u1:x, (u1:x) joanna.b anna.bc"
    assert Own("bob", "u1:x").hide("bob") == "bob"  # too short to be told from a syllable


def test_a_mask_keeps_the_shape() -> None:
    masked = mask('{"user": "Zoë 12", "nested": {"ok": true, "at": [1.5, null]}, "m": "[email] x"} tail')
    assert masked == '{"user": "xxx 00", "nested": {"ok": true, "at": [0.0, null]}, "m": "[email] x"} xxxx'


@given(st.text(max_size=200))
def test_any_text_is_masked_and_hidden(text: str) -> None:
    assert len(mask(text)) == len(text)
    assert isinstance(hide_labelled(text, lambda name: ""), str)
    assert isinstance(names_somebody(text), bool)


@given(st.text(min_size=4, max_size=20), st.text(max_size=30), st.text(max_size=30))
def test_no_identity_of_any_letters_survives(identity: str, before: str, after: str) -> None:
    hidden = Own(identity, "\0").hide(f"{before} {identity} {after}")
    assert hidden != f"{before} {identity} {after}" or identity.strip() != identity
