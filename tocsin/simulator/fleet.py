"""The simulated fleet: its applications with their agents, tools and models, and the people who use them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

from tocsin.simulator.words import NAMES


class Model(msgspec.Struct, frozen=True):
    """An invented model; prices are US dollars for a million tokens, times are medians."""

    name: str
    provider: str
    input_usd: float
    output_usd: float
    first_token_ms: float
    token_ms: float
    reasoning: int = 0


class Tool(msgspec.Struct, frozen=True):
    """A tool with a template of its arguments and of its results."""

    name: str
    arguments: str
    results: Sequence[str]
    milliseconds: float = 120.0
    failures: float = 0.02
    server: str = ""


class Agent(msgspec.Struct, frozen=True):
    """An agent; `tools` with their weights, `steps` is the mean number of tool calls a turn."""

    name: str
    tools: Sequence[tuple[Tool, float]]
    steps: float
    version: str = "1.4.0"


class Application(msgspec.Struct, frozen=True):
    """One service of the fleet; `share` is its part of all events."""

    name: str
    share: float
    agents: Sequence[Agent]
    models: Sequence[tuple[Model, float]]
    languages: Sequence[str]
    turns: float  # mean turns a session
    events_per_session: float  # measured; turns the wanted events/s into sessions/s
    visits: float  # mean sessions of a user in an hour, which tells how many users there are
    rhythm: str  # office, shop, flat
    users: bool = True
    retrieves: bool = False


class Person(msgspec.Struct, frozen=True):
    """Somebody with habits: a language, a pace, a length of sentence, patience with errors."""

    user: str
    language: str
    client_ip: str
    user_agent: str
    api_key: str
    think_seconds: float
    sentences: float
    patience: float


LARGE = Model("meridian-large-3", "meridian", 2.5, 10.0, 420.0, 16.0)
SMALL = Model("meridian-small-3", "meridian", 0.2, 0.8, 180.0, 6.0)
CODER = Model("corvid-coder-2", "corvid", 3.0, 15.0, 650.0, 19.0, reasoning=160)
OPEN = Model("fjord-9b-instruct", "self-hosted", 0.05, 0.05, 90.0, 11.0)

LOOKUP = Tool(
    "lookup_order", '{{"order":"{number}"}}', ('{{"order":"{number}","state":"shipped","city":"{city}"}}',)
)
HELP = Tool(
    "search_help", '{{"query":"return {product}"}}', ("Returns: thirty days, label in the account.",), 60.0
)
TICKET = Tool(
    "create_ticket", '{{"order":"{number}","topic":"{product}"}}', ('{{"ticket":"T-{number}"}}',), 200.0
)
REFUND = Tool("refund_status", '{{"order":"{number}"}}', ('{{"refund":"none"}}', '{{"refund":"sent"}}'), 90.0)
READ = Tool(
    "read_file",
    '{{"path":"{file}"}}',
    ("def export(rows):\n    for row in rows:\n        write(row)\n",),
    15.0,
)
EDIT = Tool("edit_file", '{{"path":"{file}","replace":"limit={number}"}}', ("1 change applied",), 20.0, 0.03)
TESTS = Tool(
    "run_tests", '{{"path":"{file}"}}', ("{number} passed", "1 failed, {number} passed"), 5200.0, 0.08
)
GREP = Tool("search_code", '{{"pattern":"limit","path":"{file}"}}', ("{file}:14: limit = {number}",), 40.0)
SHELL = Tool("run_command", '{{"command":"git diff --stat {file}"}}', (" {file} | 4 ++--",), 300.0, 0.06)
INVOICE = Tool(
    "get_invoice", '{{"invoice":"{number}"}}', ('{{"invoice":"{number}","due":"2026-12-01","eur":184.5}}',)
)
PAYMENTS = Tool(
    "list_payments", '{{"customer":"{number}"}}', ('[{{"day":"2026-11-03","eur":184.5}}]',), 160.0
)
CREDIT = Tool(
    "issue_credit", '{{"invoice":"{number}","reason":"paid twice"}}', ('{{"credit":"C-{number}"}}',), 240.0
)
PAGE = Tool(
    "open_page",
    '{{"page":"hr/{number}"}}',
    ("Section 4. {subject}: approved by the head of the team.",),
    70.0,
)
FETCH = Tool("fetch_document", '{{"document":"{number}"}}', ("Minutes, {city}. Subject: {subject}.",), 55.0)
STORE = Tool("store_summary", '{{"document":"{number}"}}', ("stored",), 30.0, 0.01)
MAIL = Tool("send_email", '{{"to":"archive@records.example","subject":"{subject}"}}', ("queued",), 180.0, 0.0)
TRIAGE = Tool("route_ticket", '{{"ticket":"T-{number}","queue":"returns"}}', ("routed",), 45.0)

SUPPORT_AGENT = Agent("support-agent", ((LOOKUP, 5.0), (HELP, 3.0), (REFUND, 2.0), (TICKET, 1.0)), 0.7)
TRIAGE_AGENT = Agent("triage-agent", ((TRIAGE, 3.0), (LOOKUP, 1.0)), 1.0, "0.1.0")
CODING_AGENT = Agent("coding-agent", ((READ, 5.0), (GREP, 3.0), (EDIT, 3.0), (TESTS, 2.0), (SHELL, 1.0)), 3.0)
BILLING_AGENT = Agent("billing-agent", ((INVOICE, 4.0), (PAYMENTS, 3.0), (CREDIT, 0.4)), 1.1)
SEARCH_AGENT = Agent("search-agent", ((PAGE, 1.0),), 0.3)
DIGEST_AGENT = Agent("digest-agent", ((FETCH, 1.0), (STORE, 1.0)), 0.0)

SUPPORT = Application(
    "support",
    0.36,
    (SUPPORT_AGENT,),
    ((SMALL, 4.0), (LARGE, 1.0)),
    ("en", "en", "en", "de", "es", "fr", "uk", "ja"),
    2.6,
    6.3,
    0.5,
    "shop",
)
CODE = Application("coder", 0.22, (CODING_AGENT,), ((CODER, 1.0),), ("en",), 2.4, 17.0, 3.0, "office")
BILLING = Application(
    "billing", 0.12, (BILLING_AGENT,), ((LARGE, 1.0),), ("en", "en", "de"), 2.0, 6.65, 2.0, "office"
)
SEARCH = Application(
    "search",
    0.20,
    (SEARCH_AGENT,),
    ((OPEN, 3.0), (SMALL, 1.0)),
    ("en", "en", "en", "de", "uk"),
    1.8,
    4.75,
    1.0,
    "office",
    retrieves=True,
)
DIGEST = Application(
    "digest", 0.10, (DIGEST_AGENT,), ((OPEN, 1.0),), ("en",), 8.0, 23.4, 60.0, "flat", users=False
)
FLEET: Sequence[Application] = (SUPPORT, CODE, BILLING, SEARCH, DIGEST)

BROWSERS = (
    "shop-web/8.2",
    "shop-app/5.1 (android)",
    "shop-app/5.1 (ios)",
    "desk-client/2.14",
    "terminal/1.9",
)


def activity(rhythm: str, time: float) -> float:
    """How busy an hour of the day is, against a mean hour; `time` is epoch seconds, days start at 0 UTC."""
    hour = time / 3600.0 % 24.0
    if rhythm == "office":
        return 0.1 + 2.4 * (_bell(hour, 10.0, 2.2) + _bell(hour, 14.8, 2.0))
    if rhythm == "shop":
        return 0.35 + 1.3 * (_bell(hour, 12.5, 3.0) + 0.8 * _bell(hour, 20.0, 2.0))
    return 1.0


def _bell(hour: float, centre: float, width: float) -> float:
    return math.exp(-(((hour - centre) / width) ** 2) / 2.0)


class People:
    """The users of one application, made when first asked for and always the same for a seed."""

    def __init__(self, application: Application, seed: int, count: int) -> None:
        self.application = application
        self.count = count
        self._seed = seed
        self._known: dict[int, Person] = {}

    def somebody(self, chance: random.Random) -> Person:
        """A user, the frequent ones more often."""
        return self.number(int(self.count * chance.random() ** 1.6))

    def number(self, number: int) -> Person:
        """The user with this number."""
        person = self._known.get(number)
        if person is None:
            person = self._known[number] = self._meet(number)
        return person

    def _meet(self, number: int) -> Person:
        application = self.application
        chance = random.Random(f"{self._seed}/{application.name}/{number}")
        return Person(
            user=f"{chance.choice(NAMES)}-{application.name[0]}{number:05d}" if application.users else "",
            language=chance.choice(application.languages),
            client_ip=f"10.{chance.randrange(16, 48)}.{chance.randrange(256)}.{chance.randrange(1, 255)}",
            user_agent=chance.choice(BROWSERS) if application.users else "digest-job/3.0",
            api_key=f"key-{application.name}-{number % 3}",
            think_seconds=chance.uniform(8.0, 70.0),
            sentences=chance.uniform(1.5, 4.5) if application.users else 3.0,
            patience=chance.random(),
        )
