"""Secrets and personal data of every type are gone after redaction, and what merely looks alike stays."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.reading import redaction
from tocsin.reading.patterns import PATTERNS, iban, luhn, random_looking
from tocsin.reading.redaction import Redactor

LETTERS = "Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca"  # varied enough to be a key

SECRETS = {
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "aws_key": "AKIAZQ8XW2RT5YP9LS4K",
    "github_token": "ghp_" + (LETTERS * 2)[:36],
    "gitlab_token": "glpat-" + LETTERS[:20],
    "slack_token": "xoxb-1234567890-" + LETTERS[:12],
    "slack_webhook": "hooks.slack.com/services/T01234567/B01234567/" + LETTERS[:12],
    "llm_key": "sk-proj-" + LETTERS,
    "google_key": "AIza" + (LETTERS * 2)[:35],
    "google_oauth": "GOCSPX-" + LETTERS[:24],
    "stripe_key": "sk_live_" + LETTERS[:24],
    "huggingface_token": "hf_" + (LETTERS * 2)[:34],
    "npm_token": "npm_" + (LETTERS * 2)[:36],
    "pypi_token": "pypi-" + (LETTERS * 2)[:60],
    "sendgrid_key": "SG." + LETTERS[:22] + "." + (LETTERS * 2)[:43],
    "twilio_key": "SK" + "0f1e2d3c" * 4,
    "digitalocean_token": "dop_v1_" + "0f1e2d3c" * 8,
    "shopify_token": "shpat_" + "0f1e2d3c" * 4,
    "telegram_token": "123456789:AA" + (LETTERS * 2)[:33],
    "age_key": "AGE-SECRET-KEY-1" + ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2)[:58],
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl",
    "url_password": "postgres://app:" + LETTERS[:12] + "@db.internal/x",
    "bearer": "Authorization: Bearer " + LETTERS,
    "assigned": 'api_key = "' + LETTERS[:16] + '"',
    "iban": "GB82 WEST 1234 5698 7654 32",
    "card": "4111 1111 1111 1111",
    "us_ssn": "536-90-4399",
    "email": "bob.smith+news@mail.example.co.uk",
    "phone": "+49 170 1234567",
    "ip": "203.0.113.77",
}


def test_every_type_has_an_example() -> None:
    assert {pattern.name for pattern in PATTERNS} == SECRETS.keys()


@pytest.mark.parametrize("name", SECRETS)
def test_a_planted_secret_is_replaced_by_its_mark(name: str) -> None:
    clean = Redactor().redact(f"before {SECRETS[name]} after")
    assert f":{name}]" in clean
    assert clean.startswith("before ") and clean.endswith(" after")
    assert _core(name) not in clean


def _core(name: str) -> str:
    """The part of an example that must not survive."""
    if name == "url_password":
        return LETTERS[:12]
    return re.split(r"[ :/=\"@]", SECRETS[name].strip('"'))[-1]


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(sorted(SECRETS)))
def test_secrets_are_found_in_any_surroundings(before: str, after: str, name: str) -> None:
    clean = Redactor().redact(f"{before} {SECRETS[name]} {after}")
    assert SECRETS[name] not in clean


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 was sent",  # Luhn fails
        "GB82 WEST 1234 5698 7654 33",  # mod 97 fails
        "at 12:30:45 on 2026-11-25",
        "std::string a::b",
        "version 999.1.2.300 of the api_key setting",
        "the password is required",
        "token=<your-token>",
        "see https://example.org/a:b/c@d",
        "sk-learn and sk-image",
        "000-12-3456",
    ],
)
def test_what_merely_looks_alike_stays(text: str) -> None:
    assert Redactor().redact(text) == text


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(Redactor().redact(text + "\ud800"), str)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_the_fast_scan_and_the_slow_one_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Redactor().redact(SECRETS[name])
    monkeypatch.setattr(redaction, "_compiled", redaction._compiled.__wrapped__)
    monkeypatch.setitem(__import__("sys").modules, "hyperscan", None)
    assert Redactor().redact(SECRETS[name]) == fast


HOSTILE = {
    "hashes": "#" * 100_000,
    "digits": "1234567890" * 10_000,
    "spaced digits": "1 " * 50_000,
    "dotted digits": "1." * 50_000,
    "colons": ":" * 100_000,
    "hex pairs": "ab:cd:" * 16_000,
    "at signs": "a@" * 50_000,
    "one address": "bob@example.org " + "a." * 50_000,
    "keywords": "password api_key token secret bearer " * 2_700,
    "assignments": "password=" * 11_000,
    "urls": "http://a:" * 11_000,
    "keys begun": "-----BEGIN PRIVATE KEY-----" * 3_700,
    "tokens begun": "eyJ" * 33_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_bounded_time(name: str) -> None:
    redact = Redactor().redact
    seconds = []
    for _ in range(3):
        started = time.process_time()
        redact(HOSTILE[name])
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.15  # 50 ms on a quiet core


def test_checks_know_their_sums() -> None:
    assert luhn("5500005555555559") and not luhn("5500005555555558") and not luhn("0" * 16)
    assert iban("DE89 3704 0044 0532 0130 00") and not iban("DE88 3704 0044 0532 0130 00")
    assert random_looking("x7Gp2Qw9") and not random_looking("${SECRET}") and not random_looking("required")
