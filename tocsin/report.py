"""What of an event tells whether another one reports the same model call or tool execution."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

import msgspec

from tocsin.model import Event, Kind
from tocsin.section import KEY_CHARACTERS, short

SLACK = 1.0  # seconds by which the clocks of two reporters of one call may differ
CLOSE = 0.005  # seconds by which a span may stick out of the one around it
STREAM = 600.0  # seconds that an answer may take
LATE = 10.0  # seconds by which a log record may be stamped later than the span that it belongs to
TOLD = "messages"  # half of an execution that only the messages of a model call tell of
UNIQUE = 16  # characters besides the tool's name from which on a call's id is no mere number

_id, _links = attrgetter("id"), attrgetter("digest", "trace", "parent", "span")
_SEPARATORS = re.compile(r"[.:/\-]|__")
_TWO_DIGITS, _FOUR_DIGITS = re.compile(r"\d\D*\d"), re.compile(r"\d(?:\D*\d){3}")


class Report(msgspec.Struct, array_like=True, gc=False):
    """One event as far as others are compared with it. No content, no text of a message."""

    kind: Kind
    half: str
    join: str
    trace: str
    span: str
    parent: str
    session: str
    id: str  # of the response, or of the tool call
    name: str  # of the model, or of the tool
    answering: str  # model of the response
    start: float
    end: float
    input_tokens: int | None
    output_tokens: int | None
    failed: bool
    content: bool
    digest: str  # of a question without an answer, or of one that a reply repeats; of a tool's arguments
    lacks: str  # what another report of the same may know: content, answer, usage; or half
    maker: str  # who reports so: what is learnt about one is true for all with the same
    also: tuple[str, ...] = ()  # names of reports that this one has taken up
    page: int = 0  # on which it is kept once it has gone on
    parted: bool = False  # has taken up its child: a second one is another attempt
    answered: bool = (
        False  # a result in messages is known to be that of this execution, and the other way round
    )

    @property
    def told(self) -> bool:
        """Whether it stands in the messages of a model call and nowhere else."""
        return self.half == TOLD

    @property
    def own(self) -> str:
        """The name by which children and halves know it."""
        return f"{self.trace}:{self.span}" if self.trace and self.span else self.join

    @property
    def key(self) -> str:
        """A name for it alone, as far as it has one."""
        return self.join or self.own or self.id

    def keys(self) -> tuple[list[str], list[str]]:
        """Names under which others find it, and names of those that it may be the same as."""
        names = [self.join] if self.join else []
        if self.also:
            names = list(dict.fromkeys((*names, *self.also)))
        if self.id:
            names.append(self.id)
        if self.kind == "tool":
            names += self._executions()
        elif self.input_tokens and self.output_tokens:
            names.append(f"={self.input_tokens}:{self.output_tokens}")
        if self.digest or self.failed:
            names += self._oddities()
        looks = names.copy()
        trace = self.trace
        if trace:
            if self.span:
                own = f"{trace}:{self.span}"
                looks.append("^" + own)
                if own != self.join:
                    names.append(own)
                    looks.append(own)
            if self.parent:
                parent = f"{trace}:{self.parent}"
                names.append("^" + parent)
                looks.append(parent)
        return names, looks

    def _executions(self) -> list[str]:
        tool, trace, session = bare(self.name), self.trace, self.session
        names = [f"@{trace}:{tool}"] if trace else []
        if session and session != trace:
            names.append(f"@{session}:{tool}")
        if self.digest:
            names.append(self.digest)
        return names

    def _oddities(self) -> list[str]:
        """Of a streamed question or its answer, and of a failure that left no id."""
        names = [self.digest] if self.kind == "llm" and self.digest else []
        if self.failed and not self.parent and not self.id:
            names.append(f"!{self.name}")
        return names


def report(
    event: Event, digest: str, lacks: str, also: tuple[str, ...], *, parted: bool, answered: bool
) -> Report:
    """The report that an event is; `digest` is keyed, of the question or of the arguments."""
    if event.kind == "tool":
        said = event.tool_call_id, event.tool_name, ""
    else:
        said = event.response_id, event.model, event.response_model
    own = (event.join, event.trace_id, event.span_id, event.parent_span_id, event.session, *said)
    joined = "".join(own)
    if len(joined) > 4 * KEY_CHARACTERS or not joined.isascii():
        own = (
            short(own[0]), short(own[1]), short(own[2]), short(own[3]), short(own[4]), short(own[5]),
            short(own[6]), short(own[7]),
        )  # fmt: skip
    join, trace, span, parent, session, identity, name, answering = own
    maker = f"{event.operation} {event.provider}"[:KEY_CHARACTERS] if lacks else ""
    start = event.original_time or event.time  # times that were put right tell no order
    return Report(
        event.kind, event.half, join, trace, span, parent, session, identity, name, answering,
        start, start + (event.duration_ms or 0.0) / 1e3, event.input_tokens, event.output_tokens,
        event.status == "error", event.content_available or bool(event.input or event.output), digest,
        lacks, maker, also, 0, parted, answered,
    )  # fmt: skip


def lack(event: Event) -> str:
    """What of a whole call another report may know, or which half of it this is."""
    if event.half or not event.join:  # without a key an event is complete
        return event.half
    if event.kind == "tool":
        return "" if event.content_available else "content"
    if event.kind != "llm" or event.operation == "embeddings":
        return ""
    if not event.input and not event.output:
        return "content"
    if event.status != "ok":
        return ""
    if not event.output:
        return "answer"
    return "usage" if event.input_tokens is None and event.output_tokens is None else ""


def best(one: Report, others: Iterable[Report]) -> Report | None:
    """Of the others that are the same, the first that agrees in every figure, else the first."""
    found: Report | None = None
    for other in others:
        if same(one, other):
            if _figures(one) == _figures(other):
                return other
            found = found or other
    return found


def _figures(one: Report) -> tuple[object, ...]:
    return (one.digest,) if one.kind == "tool" else (one.input_tokens, one.output_tokens)


def same(one: Report, other: Report) -> bool:
    """Whether both tell of one call or execution."""
    if one.join and one.join == other.join:
        return one.half != other.half or one.half in ("", "log")
    if one.kind != other.kind:
        return False
    return _same_execution(one, other) if one.kind == "tool" else _same_call(one, other)


def near(one: Report, others: Sequence[Report]) -> Sequence[Report]:
    """Of executions with one name those that may be the same: a cheap look at many."""
    identity, length = one.id, len(one.id)
    if identity:
        ids = list(map(_id, others))
        if identity not in ids and set(map(len, ids)) == {length}:  # mostly ids tell them apart
            return ()
        return [each for each in others if each.id == identity or len(each.id) != length]
    wanted = one.digest, one.trace, one.span, one.parent
    links = zip(wanted, zip(*map(_links, others), strict=True), strict=True)
    met = [(value, column) for value, column in links if value and value in column]
    places = {at for value, column in met for at, each in enumerate(column) if each == value}
    return [others[at] for at in sorted(places)]


def _same_call(one: Report, other: Report) -> bool:
    if one.half != other.half and one.id == other.id != "":
        return _overlap(one, other, LATE)  # of two spans with one response each may have its own log record
    if not _same_model(one, other):
        return False
    if streamed(one, other) or streamed(other, one):
        return True
    if not _overlap(one, other):
        return False
    if one.id and other.id:
        return one.id == other.id and not _siblings(one, other)
    if one.trace and other.trace and one.trace != other.trace:
        return _failed_twice(one, other)
    if one.trace == other.trace != "":
        outer = _outer(one, other)
        if outer is not None:
            inner = other if outer is one else one
            return not outer.parted and (outer.failed or not inner.failed)
        if _siblings(one, other):
            return False
    elif not one.session or one.session != other.session:
        return False
    return _same_usage(one, other) and (_within(one, other) or _within(other, one))


def _same_execution(one: Report, other: Report) -> bool:
    told, other_told = one.half == TOLD, other.half == TOLD
    if (told and other_told) or not (one.name == other.name or alike(one.name, other.name)):
        return False
    same_id = one.id != "" != other.id and _same_id(one.id, other.id)
    if one.id and other.id and not same_id:
        return False
    near = one.trace == other.trace != "" or one.session == other.session != ""
    named = same_id and unique(one.id, one.name)
    if told or other_told:
        return named or _executed(*((one, other) if told else (other, one)))
    outer = _outer(one, other)
    if outer is not None:
        return not outer.parted
    known = named or (near and one.digest == other.digest != "" and not _siblings(one, other))
    return known and (_within(one, other) or _within(other, one))


def _same_id(one: str, other: str) -> bool:
    """Frameworks put the tool's name before an id."""
    if len(one) == len(other):
        return one == other
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= UNIQUE and longer.endswith(shorter)


def _executed(told: Report, span: Report) -> bool:
    """Whether the result that a model call brought along may be that of this execution.

    Arguments that differ may be one call's in two spellings, but not where the ids are compared as well.
    """
    if told.answered or span.answered or span.start > told.start + SLACK:
        return False
    near = told.trace == span.trace != "" or told.session == span.session != ""
    if told.digest == span.digest != "":
        return near or not (told.session and span.session)
    spelled = not (told.digest and span.digest and told.id and span.id)
    return spelled and told.trace == span.trace != ""


def _outer(one: Report, other: Report) -> Report | None:
    """The one that is the other's parent."""
    if one.span and other.parent == one.span:
        return one
    return other if other.span and one.parent == other.span else None


def _siblings(one: Report, other: Report) -> bool:
    """Whether both stand beside one another under one parent: two attempts, two calls at once."""
    return one.parent == other.parent != "" and one.trace == other.trace


def streamed(question: Report, reply: Report) -> bool:
    """Whether one is a span without duration that repeats the other's question, with the answer to it."""
    return (
        question.lacks == "answer" != reply.lacks
        and question.digest == reply.digest != ""
        and reply.start == reply.end
        and 0 <= reply.start - question.start <= STREAM
    )


def _failed_twice(one: Report, other: Report) -> bool:
    """Whether a failure was reported in two traces, once with what had been asked and once without."""
    if not (one.failed and other.failed) or one.parent or other.parent or one.content == other.content:
        return False
    return _within(one, other) or _within(other, one)


def _same_usage(one: Report, other: Report) -> bool:
    if not one.input_tokens or not one.output_tokens:
        return False
    return one.input_tokens == other.input_tokens and one.output_tokens == other.output_tokens


def _same_model(one: Report, other: Report) -> bool:
    """Names that are not known contradict nothing; a dated name is the same as the short one."""
    mine = [name.rpartition("/")[2] for name in (one.name, one.answering) if name]
    theirs = [name.rpartition("/")[2] for name in (other.name, other.answering) if name]
    if not mine or not theirs:
        return True
    return any(a.startswith(b) or b.startswith(a) for a in mine for b in theirs)


def _overlap(one: Report, other: Report, slack: float = SLACK) -> bool:
    return one.start <= other.end + slack and other.start <= one.end + slack


def _within(inner: Report, outer: Report) -> bool:
    return outer.start - CLOSE <= inner.start and inner.end <= outer.end + CLOSE


def encloses(one: Report, other: Report) -> bool:
    """Whether `one` is the span around `other`: its parent, else the one that began earlier."""
    outer = _outer(one, other)
    if outer is not None:
        return outer is one
    return (one.start, -one.end) < (other.start, -other.end)


@lru_cache(1024)
def bare(name: str) -> str:
    """A tool's name without what frameworks put before it."""
    return _SEPARATORS.split(name)[-1].lower()


def alike(one: str, other: str) -> bool:
    """Whether two names are one tool's: the same, or one with a prefix."""
    if one == other:
        return True
    short_one, long_one = sorted((one.lower(), other.lower()), key=len)
    before = long_one.removesuffix(short_one)
    return bool(short_one) and before != long_one and _SEPARATORS.search(before[-2:]) is not None


def unique(identity: str, name: str) -> bool:
    """Whether a call's id means that call wherever it stands; `call_0` means one of each conversation."""
    rest = identity.replace(name, "") if name else identity
    digits = _TWO_DIGITS if len(rest) >= UNIQUE else _FOUR_DIGITS
    return digits.search(rest) is not None
