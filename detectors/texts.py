"""What detectors of text share: which of them tells a text, how bad it is, and in which words.

One detector tells a text, so that nobody gets two alerts for it: that of its heaviest rule, or that of the
way in which it was hidden, where the hiding showed the rule. What the model itself said is nobody's, what the
operator said only where it is hidden, and what tools and documents say is `indirect_injection`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, log1p
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from msgspec import Meta

from detectors.principal import application, principal
from tocsin.contracts import Detector
from tocsin.model import Event, Finding, RuleHit, Severity, Signals, TextSignal

THRESHOLD = 0.5  # a text's score is calibrated to it
STRONG = 0.8  # a score from which on rules leave little doubt
TOLD_RULES = 5
DOUBT, TRUST = 4.5, 5.0  # of model and rules in one score, as in `tocsin.reading.verdict`
SURE = 1 - 1e-12

TELLS: Mapping[str, str] = {
    "A1": "instruction_override",
    "A2": "persona_jailbreak",
    "A3": "prompt_extraction",
    "A4": "hidden_text",
    "A5": "respelt_text",
    "A6": "encoded_payload",
    "A7": "template_tokens",
    "A8": "adversarial_suffix",
    "A9": "indirect_injection",
    "A10": "known_attack",
    "A11": "instruction_override",
    "A13": "dangerous_command",
}
UNSEEN = frozenset({"tags", "selectors", "zero_width_bits", "stripped"})  # ways of hiding
RESPELT = frozenset({"folded", "leet", "spaced"})
FOREIGN = frozenset({"result", "document", "tool"})  # places that hold what others than the user wrote
OUTPUT, DATA, COMMAND = "C", "A9", "A13"  # families: of outputs, of orders in data, of commands
WHERE: Mapping[str, str] = {
    "arguments": "the arguments of a tool",
    "result": "the result of a tool",
    "document": "a retrieved document",
    "tool": "the description of a tool",
    "system": "the system prompt",
    "user": "a message by the user",
    "assistant": "a message by the model",
    "retrieved": "a retrieved document",
}
READS = ("input", "user", "api_key", "agent", "session", "application", "status", "signals.texts",
         "signals.score", "signals.refusal")  # fmt: skip

S = TypeVar("S")


class Nothing(msgspec.Struct, gc=False):
    """No memory: each text is judged by itself."""


class TextDetector(Detector[S], frozen=True, kw_only=True):
    """Tells the texts of a conversation that are its own; see `teller`."""

    name: ClassVar[str]
    says: ClassVar[str]  # what such a text does

    threshold: Annotated[float, Meta(gt=0, le=1, description="score from which on a text is told")] = (
        THRESHOLD
    )

    def key(self, event: Event) -> str | None:
        return asker(event) if event.input else None

    def observe(self, event: Event, signals: Signals, state: S) -> Finding | None:
        if signals.score < self.threshold:
            return None
        own = [text for text in signals.texts if self.owns(text)]
        return self.tell(own, event, signals, state) if own else None

    def owns(self, text: TextSignal) -> bool:
        """Whether a text is told, and by this detector."""
        return text.score >= self.threshold and teller(text) == self.name and score(text) >= self.threshold

    def tell(self, own: Sequence[TextSignal], event: Event, signals: Signals, state: S) -> Finding:
        """One finding about the worst of the texts."""
        worst = max(own, key=score)
        return finding(worst, self.says, reasons(worst, event, signals), texts=len(own))

    @classmethod
    def examples(cls) -> Sequence[Any]:
        return (cls(), cls(threshold=0.8))


class PromptDetector(TextDetector[Nothing], frozen=True, kw_only=True):
    """A text detector without a memory."""

    state_type: ClassVar[type[Any]] = Nothing
    needs_texts: ClassVar[bool] = True

    def start(self) -> Nothing:
        return Nothing()


def asker(event: Event) -> str:
    """Who is asking: the principal, else the application."""
    return principal(event) or application(event)


def foreign(text: TextSignal) -> bool:
    """Whether somebody else than user and operator wrote it: a tool, a document, whoever offers a tool."""
    return text.place in FOREIGN or text.role in ("tool", "retrieved")


def heaviest(text: TextSignal) -> RuleHit | None:
    """The rule that weighs most of those about prompts; in arguments, of those about commands.

    In a message by the user a rule about data comes last: what reads like an order in data may just be one.
    """
    if text.place == "arguments":
        return next((hit for hit in text.rules if hit.family == COMMAND), None)
    hits = [hit for hit in text.rules if not hit.family.startswith(OUTPUT)]
    own = hits if foreign(text) else [hit for hit in hits if hit.family != DATA]
    return next(iter(own or hits), None)


def teller(text: TextSignal) -> str | None:
    """The name of the one detector that a text is for; None: of no interest."""
    if text.place == "arguments":
        return "dangerous_command"
    if text.place == "output" or (text.role == "assistant" and text.place == "input"):
        return None
    if foreign(text):
        return "indirect_injection"
    unseen = not UNSEEN.isdisjoint(text.hidden)
    if text.role == "system":
        return "hidden_text" if unseen else None
    hit = heaviest(text)
    if text.hidden and (unseen or hit is None or hit.decodings):
        respelt = not RESPELT.isdisjoint(text.hidden)
        return "hidden_text" if unseen else "respelt_text" if respelt else "encoded_payload"
    return TELLS.get(hit.family, "known_attack") if hit else "known_attack"


def score(text: TextSignal) -> float:
    """The score of a text as a prompt: without rules about outputs, and in data without those about commands.

    Where there are such, the others and the model are weighed anew.
    """
    others = (OUTPUT, COMMAND) if foreign(text) else OUTPUT
    kept = [hit for hit in text.rules if not hit.family.startswith(others)]
    if len(kept) == len(text.rules):
        return text.score
    anew = combined(weigh(kept), text.model_score)
    return min(text.score, anew if UNSEEN.isdisjoint(text.hidden) else max(anew, THRESHOLD))


def combined(rules: float, model: float) -> float:
    """What rules and model say together, as `tocsin.reading.verdict.merged` does it: log odds added up."""
    odds = max(log_odds(model), -DOUBT) - TRUST * log1p(-min(rules, SURE))
    return 1.0 / (1.0 + exp(-odds))


def log_odds(share: float) -> float:
    """The logarithm of the odds, within 10 either way."""
    return log(max(share, 4.54e-5) / max(1.0 - share, 4.54e-5))


def command(text: TextSignal) -> float:
    """What rules about commands alone say: arguments may hold words that would be an attack elsewhere."""
    return weigh([hit for hit in text.rules if hit.family == COMMAND])


def weigh(hits: Sequence[RuleHit]) -> float:
    """Rules as independent evidence (noisy-or), each once; in a family all but the heaviest by half."""
    left, rules, families = 1.0, set[str](), set[str]()
    for hit in hits:
        if hit.rule not in rules:
            left *= 1.0 - (hit.weight / 2 if hit.family in families else hit.weight)
            rules.add(hit.rule)
            families.add(hit.family)
    return 1.0 - left


def reasons(text: TextSignal, event: Event, signals: Signals) -> tuple[str, ...]:
    """What makes a text worse (plain words) or less bad ("but ..."); see `severity`."""
    worse = []
    if score(text) >= STRONG and text.rules:
        worse.append("strong")
    if text.hidden:
        worse.append("hidden")
    if text.place == "tool":
        worse.append("offered with every call")
    if heaviest(text) is None and not text.hidden:
        worse.append("but no rule")
    if stopped(event, signals):
        worse.append("but stopped")
    return tuple(worse)


def stopped(event: Event, signals: Signals) -> bool:
    """Whether the model refused, or somebody denied or blocked the call."""
    return signals.refusal or event.status in ("refused", "blocked") or event.tool_decision == "reject"


def severity(why: Sequence[str]) -> Severity:
    """Medium, a step up for each reason and a step down for each "but"."""
    steps = sum(-1 if each.startswith("but ") else 1 for each in why)
    return Severity(min(max(Severity.medium + steps, Severity.low), Severity.critical))


def finding(text: TextSignal, says: str, why: Sequence[str], **more: str | int | float) -> Finding:
    """What is said of a text: what it does, where, how that was seen, how sure it is. Nothing of the text."""
    value = command(text) if text.place == "arguments" else score(text)
    return Finding(
        severity=severity(why),
        summary=f"{where(text)} {says} ({seen(text)}; score {value:.2f})",
        value=round(value, 4),
        evidence={**evidence(text), "reasons": ", ".join(why), **more},
    )


def where(text: TextSignal) -> str:
    """Where a text stands, in words."""
    return WHERE.get(text.place) or ("the result of a tool" if text.role == "tool" else WHERE[text.role])


def seen(text: TextSignal) -> str:
    """What showed it: the heaviest rule and what had to be undone, or the learned scorer."""
    hit = heaviest(text)
    if hit is None:
        return "hidden characters" if text.hidden else f"reads like an attack, {text.model_score:.2f}"
    return hit.rule + (f" after undoing {', '.join(hit.decodings)}" if hit.decodings else "")


def evidence(text: TextSignal) -> dict[str, str | int | float]:
    """What an analyst needs to find and judge the text."""
    hit = heaviest(text)
    return {
        "place": text.place,
        "index": text.index,
        "role": text.role,
        "score": round(text.score, 4),
        "model_score": round(text.model_score, 4),
        "rules": ", ".join(dict.fromkeys(each.rule for each in text.rules[: 2 * TOLD_RULES])),
        "families": ", ".join(dict.fromkeys(each.family for each in text.rules)),
        "view": hit.view if hit else "",
        "decodings": ", ".join(hit.decodings) if hit else "",
        "hidden": ", ".join(text.hidden),
        "language": text.language,
        "script": text.script,
        "length": text.length,
        "digest": text.digest,
        "fingerprint": fingerprint(text.simhash),
    }


def fingerprint(simhash: int) -> str:
    """A simhash as people copy it: 16 hexadecimal digits."""
    return f"{simhash & 0xFFFFFFFFFFFFFFFF:016x}"
