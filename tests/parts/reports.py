"""Invented agents whose calls and executions are reported as real producers report them: in parts, twice,
out of order, in messages alone. How many there really were is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tocsin.core import Unpacked
from tocsin.model import Event, Message, ToolCall

NOON = 1.8e9


class Story(NamedTuple):
    """Events in the order of their arrival, and what really happened."""

    events: list[Event]
    calls: int
    executions: int


class Teller:
    """Tells one conversation of an agent: some turns, each a model call with the tools that it asks for."""

    def __init__(self, chance: random.Random, number: int) -> None:
        self.chance = chance
        self.number = number
        self.session = f"session-{number}" if chance.random() < 0.5 else ""
        self.now = NOON + 0.01 * number
        self.spans = 0
        self.said: list[Message] = [Message("system", "be terse"), Message("user", f"question {number}")]
        self.calls = self.executions = 0

    def turns(self) -> Iterator[list[Event]]:
        for turn in range(self.chance.randint(1, 4)):
            trace = f"trace-{self.number}" if self.chance.random() < 0.5 else f"trace-{self.number}-{turn}"
            asked = [self._asked(turn, which) for which in range(self.chance.choice((0, 1, 1, 2)))]
            answer = Message("assistant", f"answer {self.number} {turn}", tuple(asked))
            yield self._shuffled(self._call(trace, answer))
            self.said.append(answer)
            for call in asked:
                result = f"result of {call.id} {self.chance.random()}"
                yield self._shuffled(self._execution(trace, call, result))
                self.said.append(Message("tool", result, tool_call_id=call.id))
        yield self._shuffled(self._call(f"trace-{self.number}", Message("assistant", f"end {self.number}")))

    def _shuffled(self, events: list[Event]) -> list[Event]:
        self.chance.shuffle(events)
        return events

    def _asked(self, turn: int, which: int) -> ToolCall:
        return ToolCall(
            f"call_{self.number:08d}{turn}{which}{self.chance.getrandbits(40):010x}",
            self.chance.choice(("search", "fetch")),
            f'{{"q": "{self.number} {turn} {which}", "n": 1}}',
        )

    def _span(self, trace: str, seconds: float = 1.0, **fields: Any) -> Event:
        self.spans += 1
        span = f"{self.number:04x}{self.spans:04x}"
        if "half" not in fields:
            fields["half"] = ""
        return Event(
            trace_id=trace, span_id=span, join=f"{trace}:{span}", session=self.session,
            duration_ms=1000 * seconds, application="app", source_format="otlp", **fields,
        )  # fmt: skip

    # Model calls.

    def _call(self, trace: str, answer: Message) -> list[Event]:
        self.calls += 1
        self.now += 3.0
        tokens = {"input_tokens": 1000 + self.calls, "output_tokens": 7 + 20 * self.number}
        content = {"input": tuple(self.said), "output": (answer,), "content_available": True}
        whole = {"time": self.now, "kind": "llm", "operation": "chat", "provider": "openai", "model": "gpt-x"}
        style = self.chance.choice(STYLES)
        return style(self, trace, whole, tokens, content, f"resp-{self.number}-{self.calls}")

    def whole(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        return [self._span(trace, response_id=response, **base, **tokens, **content)]

    def pair(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """The span of an instrumentation around the provider's own."""
        outer = self._span(trace, response_id=response, **base, **tokens, **content)
        return [outer, self._inner(outer, base, tokens, response)]

    def bare_pair(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """Only the inner one knows the response and the usage."""
        outer = self._span(trace, **base, **content)
        return [outer, self._inner(outer, base, tokens, response)]

    def nested(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """With a span of something else between both."""
        outer = self._span(trace, **base, **tokens, **content)
        inner = self._inner(outer, base, tokens, response, parent_span_id="http")
        return [outer, inner]

    def apart(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """Two traces that share the response."""
        outer = self._span(trace, response_id=response, **base, **tokens, **content)
        return [outer, self._inner(outer, base, tokens, response, parent_span_id="", trace_id=f"{trace}-sdk")]

    def logged(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        span = self._span(trace, half="span", response_id=response, **base, **tokens)
        log = Event(
            trace_id=trace, span_id=span.span_id, join=span.join, half="log", application="app",
            source_format="otlp", **base, **content,
        )  # fmt: skip
        return [span, log]

    def loose(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """A span, and a log record that does not name it."""
        span = self._span(trace, response_id=response, **base, **tokens, **content)
        late = base | {"time": base["time"] + 1.0}
        return [span, Event(response_id=response, application="app", **late, **tokens, **content)]

    def streamed(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        question = self._span(trace, 0.002, **base, input=content["input"], content_available=True)
        late = base | {"time": base["time"] + 2.0}
        return [
            question,
            self._span(f"{trace}-reply", 0.0, response_id=response, **late, **tokens, **content),
        ]

    def failed(self, trace: str, base: Any, tokens: Any, content: Any, response: str) -> list[Event]:
        """A failure has no response; the outer span tells what was asked."""
        outer = self._span(
            trace,
            status="error",
            **base,
            input=content["input"],
            output=content["output"],
            content_available=True,
        )
        return [outer, self._inner(outer, base, {}, "", status="error")]

    def _inner(self, outer: Event, base: Any, tokens: Any, response: str, **changes: Any) -> Event:
        fields = base | {"time": base["time"] + 0.1, "parent_span_id": outer.span_id} | changes
        trace = fields.pop("trace_id", outer.trace_id)
        return self._span(trace, 0.8, response_id=response, **fields, **tokens)

    # Executions.

    def _execution(self, trace: str, call: ToolCall, result: str) -> list[Event]:
        self.executions += 1
        self.now += 1.5
        base: dict[str, Any] = {
            "time": self.now,
            "kind": "tool",
            "operation": "execute_tool",
            "tool_name": call.name,
        }
        told: dict[str, Any] = {"tool_arguments": call.arguments, "tool_result": result}
        told["content_available"] = True
        style = self.chance.randrange(5)
        if style == 0:
            return []
        outer = self._span(trace, tool_call_id=call.id if style != 2 else "", **base, **told)
        if style < 4:
            return [outer]
        inner: dict[str, Any] = base | {"time": self.now + 0.1, "parent_span_id": outer.span_id}
        return [outer, self._span(trace, 0.8, **inner)]


STYLES: tuple[Callable[..., list[Event]], ...] = (
    Teller.whole, Teller.pair, Teller.bare_pair, Teller.nested, Teller.apart, Teller.logged, Teller.loose,
    Teller.streamed, Teller.failed,
)  # fmt: skip


def story(seed: int, conversations: int = 4) -> Story:
    """Conversations that go on side by side."""
    chance = random.Random(seed)
    tellers = [Teller(chance, number) for number in range(conversations)]
    told = [(turn, teller.number, events) for teller in tellers for turn, events in enumerate(teller.turns())]
    events = [event for _, _, events in sorted(told, key=lambda each: each[:2]) for event in events]
    return Story(events, sum(t.calls for t in tellers), sum(t.executions for t in tellers))


def records(events: list[Event], seed: int = 0, *, most: int = 3, apart: float = 0.001) -> list[Unpacked]:
    """The events in records of a few, all of which arrive long before anything has waited in vain."""
    chance, at = random.Random(seed), 0
    made: list[Unpacked] = []
    while at < len(events):
        size = chance.randint(1, most)
        items = events[at : at + size]
        made.append(Unpacked(len(made), len(made) + 1, NOON + 300 + apart * len(made), items, 1))
        at += size
    return made
