"""Links and pictures that carry data out: in what the model says, and in what it asks tools to fetch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

from msgspec import Meta

from detectors.novelty import Known, Met, begin, chance, digest, meet, printable, settled
from detectors.principal import caller
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Link, Severity, Signals, TextSignal

FAMILY = "C3"
SURE = 0.5  # weight of a rule that flags alone
USUAL_ANSWERS, USUAL_SECONDS = 3, 86_400.0  # a site that was met so often, for so long, is the application's
LABEL = 40  # characters in front of the site: more than names of hosts take


class Told(NamedTuple):
    """One link worth a word: why, and how bad that is."""

    link: Link
    why: str
    severity: Severity


class LinkExfiltration(Detector[Known], frozen=True, kw_only=True):
    """Remembers the sites that an application links to, and looks at what links to others carry."""

    about: ClassVar[About] = About(
        title="Link or picture that carries data out",
        detects="A picture (loaded without a click) or a link whose address carries data to a site that "
        "this application does not use, in an answer or in the arguments of a tool call; addresses built as "
        "such attacks build them; and, where an application has settled on its sites, the first link to "
        "another.",
        misses="Data carried to sites that the application uses every day, or in short addresses. Of "
        "applications that keep citing new sites (`novelty`) only pictures and built addresses are told. A "
        "site is the last two labels of a host, or three under a short one: customers of one hosting "
        "service are one site.",
        reads=("arrival", "agent", "agent_id", "application", "signals.texts"),
        owasp=("LLM10:2026", "LLM05:2025", "LLM02:2026", "ASI01:2026"),
        atlas=("AML.T0077", "AML.T0067", "AML.T0086"),
    )
    state_type: ClassVar[type[Any]] = Known

    picture_payload: Annotated[
        int, Meta(ge=1, description="characters that could be data in the address of a picture")
    ] = 24
    link_payload: Annotated[int, Meta(ge=1, description="the same for a link")] = 80
    warmup_answers: Annotated[
        int, Meta(ge=1, description="answers and tool calls before a mere link is told")
    ] = 200
    warmup_seconds: Annotated[float, Meta(ge=0, description="time before a mere link is told")] = 86_400.0
    novelty: Annotated[
        float,
        Meta(gt=0, le=1, description="new sites expected in an answer above which no mere link is told"),
    ] = 0.02
    max_sites: Annotated[int, Meta(ge=8, le=2048, description="sites remembered, the last met")] = 512

    def key(self, event: Event) -> str | None:
        return caller(event)

    def start(self) -> Known:
        return Known()

    def observe(self, event: Event, signals: Signals, state: Known) -> Finding | None:
        told: list[Told] = []
        for text in signals.texts:
            if text.place == "output" or text.place == "arguments":
                begin(state, event.arrival)
                if text.links:
                    told += self._links(text, event.arrival, state)
        return _finding(max(told, key=lambda each: each.severity), told, state) if told else None

    def _links(self, text: TextSignal, at: float, state: Known) -> Iterator[Told]:
        ready = settled(state, at, self.warmup_answers, self.warmup_seconds, self.novelty)
        met: dict[str, Met] = {}
        for link in text.links:
            site = site_of(link.host)
            if site not in met:
                met[site] = meet(state, digest(site), at, self.max_sites)
            before = met[site]
            if before.times < USUAL_ANSWERS or at - before.first < USUAL_SECONDS:
                yield from self._strange(link, text, new=not before.times, ready=ready)

    def _strange(self, link: Link, text: TextSignal, *, new: bool, ready: bool) -> Iterator[Told]:
        """Of a link to a site that is not the application's: what it carries, or that it is there at all."""
        built = any(hit.family == FAMILY and hit.weight >= SURE for hit in text.rules)
        payload = link.payload + max(0, len(link.host) - len(site_of(link.host)) - LABEL)
        if link.image and payload >= self.picture_payload:
            yield Told(link, f"a picture with {payload} characters of data", Severity.high)
        elif built:
            yield Told(
                link, "built as links that carry data out", Severity.high if ready else Severity.medium
            )
        elif payload >= self.link_payload and ready:
            yield Told(link, f"{payload} characters of data", Severity.medium)
        elif new and ready:
            yield Told(link, "first link to this site", Severity.low)

    @classmethod
    def examples(cls) -> Sequence[LinkExfiltration]:
        eager = cls(picture_payload=1, link_payload=1, warmup_answers=1, warmup_seconds=0.0, novelty=1.0)
        return (cls(), eager, cls(max_sites=8))


def site_of(host: str) -> str:
    """The part of a host that somebody registered, as far as its labels tell; an address as it stands."""
    labels = host.split(".")
    if labels[-1].isdigit() or ":" in host:
        return host
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if short else labels[-2:])


def _finding(worst: Told, told: Sequence[Told], state: Known) -> Finding:
    host = printable(worst.link.host)
    what = "picture" if worst.link.image else "link"
    return Finding(
        severity=worst.severity,
        summary=f"{what} to {host}: {worst.why}; {len(state.things)} sites known of {state.answers} answers",
        value=float(worst.link.payload),
        baseline=round(chance(state), 6),
        evidence={
            "host": host,
            "picture": int(worst.link.image),
            "payload": worst.link.payload,
            "links": len(told),
            "sites": ", ".join(sorted({printable(site_of(each.link.host)) for each in told})[:8]),
        },
    )
