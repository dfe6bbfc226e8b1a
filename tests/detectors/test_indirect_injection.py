from __future__ import annotations

from math import exp
from random import Random
from typing import Any

import msgspec
from parts.said import START, call, hit, said, signals

from detectors.indirect_injection import IndirectInjection, Reading
from detectors.texts import log_odds
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

NOTE = hit("A9", 0.65, rule="indirect-note-to-ai")


def result(*rules: Any, **values: Any) -> TextSignal:
    merged: dict[str, Any] = {"place": "result", "role": "tool", **values}
    return said(*rules, **merged)


def reads(odds: float, **values: Any) -> TextSignal:
    """A result that no rule knows, as far from an instruction as the odds say."""
    model = 1 / (1 + exp(-odds))
    return result(score=model, model_score=model, **values)


class Application:
    """An application whose tools return texts."""

    def __init__(self, detector: IndirectInjection | None = None) -> None:
        self.detector = detector or IndirectInjection()
        self.state: Reading = self.detector.start()
        self.random = Random(1)
        self.number = 0

    def returns(self, *texts: TextSignal, **values: Any) -> Finding | None:
        self.number += 1
        merged: dict[str, Any] = {
            "kind": "tool",
            "tool_name": "read_page",
            "session": f"s{self.number}",
            "id": f"e{self.number}",
            "arrival": START + self.number,
            **values,
        }
        numbered = [msgspec.structs.replace(text, digest=text.digest or f"d{self.number}") for text in texts]
        return self.detector.observe(Event(**merged), signals(*numbered), self.state)

    def works(self, results: int, usual: float = -5.0, spread: float = 0.3, **values: Any) -> list[Finding]:
        heard = [self.returns(reads(self.random.gauss(usual, spread)), **values) for _ in range(results)]
        return [finding for finding in heard if finding]


def test_one_application_has_one_memory() -> None:
    assert IndirectInjection().key(Event(application="a", user="u")) == "application:a"
    assert IndirectInjection().key(Event(kind="tool")) == "application:default"


def test_orders_in_a_result_are_told_from_the_first_one_on() -> None:
    finding = Application().returns(result(NOTE))
    assert finding is not None and finding.severity is Severity.medium
    assert finding.summary == (
        "the result of a tool gives the model orders (indirect-note-to-ai; score 0.65)"
    )


def test_hidden_orders_are_worse_and_so_are_those_in_a_tools_description() -> None:
    hidden = Application().returns(result(hit("A9", 0.9, "tags", view="tags"), hidden=("tags",)))
    offered = Application().returns(result(NOTE, place="tool"), kind="llm")
    assert hidden and hidden.severity is Severity.critical
    assert offered and offered.severity is Severity.high
    assert offered.summary.startswith("the description of a tool gives the model orders")


def test_what_comes_again_in_the_messages_of_the_session_is_told_once() -> None:
    app = Application()
    text = result(NOTE, digest="same")
    assert app.returns(text, session="s")
    message = said(NOTE, role="tool", digest="same")
    assert app.returns(message, session="s", kind="llm") is None
    assert app.returns(message, session="other", kind="llm") is not None


def test_a_tool_call_that_follows_makes_it_worse_once() -> None:
    app = Application()
    assert app.returns(result(NOTE), session="s", arrival=START)
    follows = app.returns(session="s", tool_name="send_mail", arrival=START + 20, id="e9")
    assert follows is not None and follows.severity is Severity.high
    assert follows.summary.startswith("send_mail was called 20 s after the session had read a text")
    assert follows.evidence["tool"] == "send_mail" and follows.evidence["read_in"] == "e1"
    assert follows.event_ids == ("e1", "e9") and follows.since == START
    assert app.returns(session="s", tool_name="send_mail", arrival=START + 21) is None


def test_other_sessions_the_same_tool_late_and_denied_calls_do_not_follow() -> None:
    cases: tuple[dict[str, Any], ...] = (
        {"session": "other"},
        {"tool_name": "read_page"},
        {"arrival": START + 301},
        {"tool_decision": "reject"},
        {"status": "blocked"},
        {"kind": "llm"},
    )
    for values in cases:
        app = Application()
        assert app.returns(result(NOTE), session="s", arrival=START)
        after = {"session": "s", "tool_name": "send_mail", "arrival": START + 20} | values
        assert app.returns(**after) is None, values


def test_a_result_unlike_all_that_its_tool_returned_is_told_though_below_the_threshold() -> None:
    app = Application()
    assert not app.works(200)
    finding = app.returns(reads(-0.5))
    assert finding is not None and finding.severity is Severity.low
    assert finding.value == -0.5 and finding.baseline is not None and -5.3 < finding.baseline < -4.7
    assert "unlike what this tool usually returns" in finding.summary
    follows = app.returns(session=f"s{app.number}", tool_name="send_mail")
    assert follows is not None and follows.severity is Severity.medium


def test_each_tool_has_its_own_baseline() -> None:
    app = Application()
    app.works(200)
    app.works(200, usual=-0.5, tool_name="read_mail")
    assert app.returns(reads(-0.5), tool_name="read_mail") is None
    assert app.returns(reads(-0.5), tool_server="other") is None
    assert app.returns(reads(-0.5)) is not None


def test_nothing_is_unlike_a_tool_that_is_not_known_yet() -> None:
    app = Application()
    assert not app.works(19)
    assert app.returns(reads(-0.5)) is None
    app = Application()
    assert not app.works(20)
    assert app.returns(reads(-0.5)) is not None


def test_ordinary_results_are_rarely_told() -> None:
    app = Application()
    app.works(200)
    assert len(app.works(5000)) <= 25


def test_results_that_are_data_are_not_told_however_unusual() -> None:
    app = Application()
    app.works(200, usual=-8.0, spread=0.05)
    assert app.returns(reads(-4.0)) is None


def test_a_tool_that_returns_such_texts_all_the_time_is_told_more_quietly() -> None:
    app = Application()
    for number in range(60):
        app.returns(result(NOTE) if number % 2 else result())
    finding = app.returns(result(NOTE))
    assert finding is not None and finding.severity is Severity.low
    assert finding.evidence["reasons"] == "but usual for this tool"


def test_many_injected_results_hardly_move_the_baseline() -> None:
    app = Application()
    app.works(200)
    before = next(iter(app.state.tools.values())).mean
    assert all(app.returns(reads(-0.5)) for _ in range(50))
    assert next(iter(app.state.tools.values())).mean < before + 0.2


def test_a_tool_that_changed_for_good_is_usual_again() -> None:
    app = Application()
    app.works(200)
    assert not app.works(300, usual=-0.5)[150:]


def test_what_two_kinds_of_results_usually_have_is_not_unlike_them() -> None:
    app = Application()
    for number in range(200):
        app.returns(reads(-1.5 if number % 5 == 0 else -5.0))
    assert app.returns(reads(-1.4)) is None
    assert app.returns(reads(-0.6)) is None  # no further above a fifth of them than `reach`


def test_the_scorer_alone_is_believed_where_no_result_of_the_tool_reads_like_that() -> None:
    app = Application()
    assert app.returns(reads(1.0)) is None
    assert app.returns(reads(2.5)) is not None
    known, noisy = Application(), Application()
    assert not known.works(40)
    finding = known.returns(reads(1.0))
    assert finding is not None and "gives the model orders" in finding.summary
    assert not noisy.works(40, usual=0.5, spread=0.1)
    assert noisy.returns(reads(0.6)) is None
    assert noisy.returns(result(NOTE, score=0.6)) is not None


def rows(*rules: Any, **values: Any) -> TextSignal:
    """A result that is bare data, in no language."""
    return result(*rules, **{"score": 0.1, "model_score": 0.02, **values})


def page(*rules: Any, **values: Any) -> TextSignal:
    """A result that is sentences."""
    return rows(*rules, **{"language": "en", **values})


ASKS = hit("A9", 0.3, rule="data-asks")


def test_data_that_asks_for_something_is_told_soon() -> None:
    app = Application()
    assert not any(app.returns(rows()) for _ in range(5))
    assert app.returns(rows(ASKS), tool_name="other") is None
    assert app.returns(rows()) is None
    finding = app.returns(rows(ASKS))
    assert finding is not None and finding.severity is Severity.low
    assert finding.summary == (
        "the result of a tool asks for something (data-asks), as results of this tool hardly do"
    )
    assert finding.evidence["reasons"] == "unlike its tool" and finding.baseline == 0.0


def test_sentences_that_ask_for_something_are_told_once_it_is_known_that_they_do_not() -> None:
    app = Application()
    assert not any(app.returns(page()) for _ in range(19))
    assert app.returns(page(ASKS)) is None
    fresh = Application()
    assert not any(fresh.returns(page()) for _ in range(20))
    assert fresh.returns(page(ASKS)) is not None


def test_requests_are_usual_for_a_tool_that_returns_mail() -> None:
    app = Application()
    assert not any(app.returns(page(ASKS) if number % 4 == 0 else page()) for number in range(200))


def test_another_kind_of_request_is_not_usual() -> None:
    app = Application()
    for number in range(80):
        app.returns(page(ASKS) if number % 4 == 0 else page())
    assert app.returns(page(ASKS, hit("A9", 0.3, rule="data-sends"))) is not None


def test_many_attacks_do_not_make_requests_usual() -> None:
    for text in (rows, page):
        app = Application()
        assert not any(app.returns(text()) for _ in range(20))
        told = [bool(app.returns(text(ASKS) if number % 5 < 2 else text())) for number in range(500)]
        assert sum(told) == 200


def test_a_text_that_came_before_and_was_not_told_is_none_that_somebody_put_there() -> None:
    app = Application()
    notice = page(ASKS, digest="notice")
    app.returns(notice)
    assert not any(app.returns(page()) for _ in range(40))
    assert app.returns(notice) is None
    assert app.returns(page(ASKS)) is not None


def test_rules_about_other_things_are_no_requests() -> None:
    app = Application()
    assert not any(app.returns(rows()) for _ in range(40))
    assert app.returns(rows(hit("C1", 0.3), hit("A13", 0.3))) is None


def test_a_message_by_the_user_with_pasted_orders_is_told_here() -> None:
    app = Application()
    finding = app.returns(said(NOTE), kind="llm")
    assert finding is not None and finding.summary.startswith("a message by the user")
    assert app.returns(said(hit("A1", 0.9)), kind="llm") is None


def test_invented_tools_sessions_and_texts_cannot_fill_the_memory() -> None:
    app = Application()
    for number in range(3000):
        app.returns(result(NOTE), tool_name=f"t{number}")
        app.returns(page(ASKS), tool_name=f"u{number}")
        app.returns(page(hit("A9", 0.2, rule=f"own-{number}")), tool_name="one")
    state = app.state
    assert (len(state.tools), len(state.told), len(state.sessions), len(state.known)) == (256, 64, 64, 64)
    assert max(len(usual.asked) for usual in state.tools.values()) == 8
    assert len(msgspec.msgpack.encode(state)) < 64 << 10


def test_log_odds_are_bounded() -> None:
    assert log_odds(0.5) == 0.0
    assert -10.1 < log_odds(0.0) < -9.9 and 9.9 < log_odds(1.0) < 10.1


def test_events_without_texts_cost_nothing_and_say_nothing() -> None:
    detector = IndirectInjection()
    state = detector.start()
    assert detector.observe(call(kind="tool"), Signals(), state) is None
    assert state == Reading()


def test_what_was_told_and_followed_is_not_opened_again_by_its_repetition() -> None:
    app = Application()
    text = result(NOTE, digest="same")
    assert app.returns(text, session="s", arrival=START)
    assert app.returns(session="s", tool_name="send_mail", arrival=START + 1)
    assert app.returns(said(NOTE, role="tool", digest="same"), session="s", kind="llm") is None
    assert app.returns(session="s", tool_name="send_mail", arrival=START + 2) is None


def test_of_several_texts_the_worst_is_told() -> None:
    heavy = result(hit("A9", 0.9), place="document", role="retrieved", digest="heavy")
    light = result(NOTE, place="document", role="retrieved", digest="light")
    finding = Application().returns(heavy, light, kind="retrieval")
    assert finding is not None and finding.severity is Severity.high


def test_a_tool_in_use_keeps_its_baseline_through_a_flood_of_others() -> None:
    app = Application()
    app.works(200)
    for number in range(1000):
        app.returns(reads(-5.0), tool_name=f"t{number}")
        app.works(number % 200 == 0)
    assert app.returns(reads(-0.5)) is not None
