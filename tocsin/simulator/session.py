"""One conversation as its spans would tell it: each call carries all that was said before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tocsin.model import Document, Event, Message, Status, ToolCall
from tocsin.simulator.conditions import Conditions, Now
from tocsin.simulator.fleet import Agent, Application, Model, Person, Tool
from tocsin.simulator.words import (
    ANSWERS,
    CITIES,
    FILES,
    PRODUCTS,
    REFUSALS,
    SUBJECTS,
    SYSTEM,
)

CHARACTERS_PER_TOKEN = 3.8
KEPT_MESSAGES = 40  # a longer conversation is compacted, as coding agents do


class Part(NamedTuple):
    """Who takes part in a session."""

    application: Application
    agent: Agent
    model: Model
    person: Person


class Session:
    """A conversation in progress; every method moves its clock and gives the events that were seen."""

    def __init__(self, part: Part, chance: random.Random, start: float, conditions: Conditions) -> None:
        self.part = part
        self.chance = chance
        self.time = start
        self.conditions = conditions
        self.id = f"{part.application.name}-{chance.getrandbits(40):010x}"
        self.facts = facts(chance)
        self._system = Message("system", SYSTEM[part.application.name])
        self._common = self._describe()
        self.begin()

    def begin(self) -> None:
        """Forget what was said; the session stays the same."""
        self.messages: list[Message] = [self._system]
        self._characters = len(self._system.text)
        self._cached = 0
        self._compacted = False
        self._trace()

    def turn(self, text: str, steps: int | None = None) -> Iterator[Event]:
        """The user says something, the agent uses its tools and answers."""
        chance, agent = self.chance, self.part.agent
        self._trace()
        self.say(Message("user", text))
        if self.part.application.retrieves:
            yield self.retrieve()
        for _ in range(geometric(chance, agent.steps) if steps is None else steps):
            yield from self.use(_weighted(chance, agent.tools))
        yield from self.answer()

    def answer(self) -> Iterator[Event]:
        """The model answers in words."""
        count = max(1, round(self.part.person.sentences * self.chance.uniform(0.6, 1.4)))
        sentences = ANSWERS[self.part.application.name]
        texts = sentences.get(self.part.person.language) or sentences["en"]
        said = " ".join(pick(self.chance, texts) for _ in range(count)).format_map(self.facts)
        yield from self.call(Message("assistant", said), "stop")

    def refuse(self) -> Iterator[Event]:
        """The model declines, or its provider's filter does."""
        texts = REFUSALS.get(self.part.person.language) or REFUSALS["en"]
        said = Message("assistant", pick(self.chance, texts))
        if self.chance.random() < 0.7:
            yield from self.call(said, "refusal", "refused")
        else:
            yield from self.call(said, "content_filter", "blocked")

    def use(self, tool: Tool, result: str | None = None) -> Iterator[Event]:
        """The model asks for a tool, the tool runs, its result joins the conversation."""
        self.facts["number"] = str(self.chance.randrange(1000, 100_000))
        arguments = tool.arguments.format_map(self.facts)
        asked = ToolCall(f"call_{self.chance.getrandbits(40):010x}", tool.name, arguments)
        yield from self.call(Message("assistant", "", (asked,)), "tool_call")
        yield self.run(tool, asked, result)

    def call(self, output: Message, finish: str, status: Status = "ok") -> Iterator[Event]:
        """A model call, tried again after errors as long as patience lasts."""
        for attempt in range(3):
            now = self._now()
            if self.chance.random() >= 0.004 + now.errors:
                yield self._completion(output, finish, status, now)
                self.say(output)
                return
            yield self._failure()
            self.time += 1.5 * 2.0**attempt
            if self.chance.random() > self.part.person.patience:
                return

    def say(self, message: Message) -> None:
        """Something joins the conversation."""
        if len(self.messages) >= KEPT_MESSAGES:
            summary = Message(
                "user", "Summary so far: " + pick(self.chance, ANSWERS["coder"]["en"]).format_map(self.facts)
            )
            self.messages = [self._system, summary]
            self._characters = len(self._system.text) + len(summary.text)
            self._compacted, self._cached = True, 0
        self.messages.append(message)
        self._characters += len(message.text) + sum(len(call.arguments) + 12 for call in message.tool_calls)

    def run(self, tool: Tool, asked: ToolCall, result: str | None = None) -> Event:
        """A tool runs."""
        chance = self.chance
        failed = chance.random() < tool.failures
        text = result if result is not None else pick(chance, tool.results).format_map(self.facts)
        error = ("timeout", "not_found", "permission_denied")[int(chance.random() * 3)] if failed else ""
        if failed:
            text = f"Error: {error} in {tool.name}"
        event = self._event(
            kind="tool",
            operation="execute_tool",
            duration_ms=tool.milliseconds * chance.lognormvariate(0.0, 0.4),
            tool_name=tool.name,
            tool_type="function",
            tool_server=tool.server,
            tool_call_id=asked.id,
            tool_arguments=asked.arguments,
            tool_result=text,
            status="error" if failed else "ok",
            error_type=error,
        )
        self.say(Message("tool", text, tool_call_id=asked.id, name=tool.name))
        return event

    def retrieve(self, text: str = "") -> Event:
        """Documents are looked up for what the user asked last."""
        found = [
            Document(f"hr/{self.chance.randrange(900)}", round(self.chance.uniform(0.4, 0.95), 3), said)
            for said in (
                text or "Section 4. {subject}: approved by the head of the team.",
                "Addition for {city}.",
            )
        ]
        found = [msgspec.structs.replace(each, text=each.text.format_map(self.facts)) for each in found]
        event = self._event(
            kind="retrieval",
            operation="retrieval",
            duration_ms=35.0 * self.chance.lognormvariate(0.0, 0.4),
            documents=tuple(found),
        )
        self.say(Message("retrieved", "\n".join(each.text for each in found)))
        return event

    def evaluate(self) -> Event:
        """Someone scores the answer."""
        score = round(min(1.0, self.chance.betavariate(8.0, 2.0)), 3)
        return self._event(
            kind="evaluation",
            operation="evaluation",
            duration_ms=12.0,
            evaluation_name="groundedness",
            evaluation_score=score,
            evaluation_label="pass" if score >= 0.5 else "fail",
        )

    def think(self) -> None:
        """The user reads and types."""
        self.time += self.part.person.think_seconds * self.chance.lognormvariate(0.0, 0.5)

    def _now(self) -> Now:
        return self.conditions.at(self.part.application.name, self.part.model.name, self.time)

    def _completion(self, output: Message, finish: str, status: Status, now: Now) -> Event:
        model, chance = self.part.model, self.chance
        said = len(output.text) + sum(len(call.arguments) + 24 for call in output.tool_calls)
        reasoning = int(model.reasoning * chance.lognormvariate(0.0, 0.5)) if model.reasoning else 0
        tokens_out = max(1, int((said / CHARACTERS_PER_TOKEN + reasoning) * now.tokens))
        tokens_in = 180 + int(self._characters / CHARACTERS_PER_TOKEN)
        first = model.first_token_ms * chance.lognormvariate(0.0, 0.25) * now.latency
        cached, self._cached = self._cached, tokens_in // 128 * 128 if model.input_usd > 0.1 else 0
        cost = (tokens_in - cached * 0.9) * model.input_usd + tokens_out * model.output_usd
        compacted, self._compacted = self._compacted, False
        return self._event(
            kind="llm",
            operation="chat",
            duration_ms=first + tokens_out * model.token_ms * chance.lognormvariate(0.0, 0.15) * now.latency,
            first_token_ms=first,
            provider=model.provider,
            model=model.name,
            response_model=now.response_model or model.name,
            response_id=f"resp-{chance.getrandbits(48):012x}",
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cache_read_tokens=cached,
            reasoning_tokens=reasoning,
            cost_usd=round(cost / 1e6, 8),
            cost_source="reported",
            stream=True,
            finish_reason=finish,
            status=status,
            input=tuple(self.messages),
            output=(output,),
            compacted=compacted,
        )

    def _failure(self) -> Event:
        limited = self.chance.random() < 0.6
        return self._event(
            kind="llm",
            operation="chat",
            duration_ms=90.0 if limited else 30_000.0,
            provider=self.part.model.provider,
            model=self.part.model.name,
            input=tuple(self.messages),
            status="error",
            finish_reason="error",
            error_type="rate_limit_error" if limited else "timeout",
            http_status=429 if limited else 504,
        )

    def _event(self, *, duration_ms: float, **fields: Any) -> Event:
        event = Event(
            time=self.time,
            duration_ms=round(duration_ms, 3),
            trace_id=self._trace_id,
            span_id=f"{self.chance.getrandbits(64):016x}",
            content_available=True,
            **self._common,
            **fields,
        )
        self.time += duration_ms / 1000.0 + 0.002
        return event

    def _trace(self) -> None:
        self._trace_id = f"{self.chance.getrandbits(128):032x}"

    def _describe(self) -> Mapping[str, Any]:
        application, agent, _, person = self.part
        return {
            "application": application.name,
            "service": application.name,
            "service_version": agent.version,
            "environment": "production",
            "agent": agent.name,
            "agent_id": f"{application.name}/{agent.name}",
            "session": self.id,
            "user": person.user,
            "api_key": person.api_key,
            "client_ip": person.client_ip,
            "user_agent": person.user_agent,
        }


def pick(chance: random.Random, choices: Sequence[str]) -> str:
    """One of the choices, all alike likely."""
    return choices[int(chance.random() * len(choices))]


def facts(chance: random.Random) -> dict[str, str]:
    """What a session is about: fills the slots of texts."""
    return {
        "number": str(chance.randrange(1000, 100_000)),
        "product": pick(chance, PRODUCTS),
        "city": pick(chance, CITIES),
        "file": pick(chance, FILES),
        "subject": pick(chance, SUBJECTS),
    }


def geometric(chance: random.Random, mean: float) -> int:
    """Zero or more, geometrically distributed with this mean."""
    count, again = 0, mean / (1.0 + mean)
    while chance.random() < again and count < 24:
        count += 1
    return count


def _weighted(chance: random.Random, tools: Sequence[tuple[Tool, float]]) -> Tool:
    left = chance.random() * sum(weight for _, weight in tools)
    for tool, weight in tools:
        left -= weight
        if left < 0.0:
            return tool
    return tools[-1][0]
