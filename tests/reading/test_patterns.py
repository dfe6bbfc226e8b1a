"""Key formats as vendors show them are found; what only shows a format, and names of secrets, are not."""

from __future__ import annotations

import time

import pytest

from tocsin.reading import checks
from tocsin.reading.redaction import Redactor

KEY = "Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca" * 6
HEX = "0f1e2d3c5b4a69788796a5b4c3d2e1f0" * 4
UUID = "0f1e2d3c-1a2b-4c3d-8e9f-0a1b2c3d4e5f"

FORMS = [
    f"sk-ant-api03-{KEY[:93]}AA",
    f"A3-ZQ8XW2-{'RT5YP9LS4KD'}-7MV1N-B3HG6-JF0CA",
    f"glrtr-{KEY[:24]}",
    f"GR1348941{KEY[:20]}",
    f"xoxe.xoxp-1-{KEY[:120]}",
    f"[{KEY[:6]}_{KEY[:29]}_mmk]",
    f"shippo_live_{HEX[:40]}",
    f"duffel_test_{KEY[:43]}",
    f"dnkey-{KEY[:26]}-{KEY[:52]}",
    f"sdk-{UUID}",
    f"pat.{KEY[:22]}.{HEX[:24]}.{KEY[:20]}",
    f"AAAAAAAAAAAAAAAAAAAAAA{KEY[:80]}",
    f"https://acme.webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/{HEX[:32]}/{UUID}",
    f"ZXlK{KEY[:120]}",
]
ASSIGNED = [
    f'datadog_app = "{HEX[:40]}"',
    f"HEROKU: {UUID}",
    f"sourcegraph: {HEX[:40]}",
    f'<add key="ClearTextPassword" value="{KEY[:16]}" />',
    f"BUNDLE_GEMS__EXAMPLE__COM={HEX[:8]}:{HEX[8:16]}",
    f'curl -u "{KEY[:16]}:" https://example.org',
    f"Cookie: _app_session={HEX[:32]}; a=b",
]
SHOWN = [
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "AKIAIOSFODNN7EXAMPLE",
    "AKIAXXXXXXXXXXXXXXXX",
    'api_key = "your-api-key-goes-here"',
    "export TOKEN=ops_eyJzaWdu...",
    "sk-abcdefghijklmnopqrstuvwx1234567890",
    "glpat-00000000000000000000",
    'password = os.environ["DB_PASSWORD"]',
    "secret: settings.SECRET_KEY",
    'SECRET_NAME = "PROD-API-KEY"',
    f"credentialId: {UUID}",
    "tokenFile=/run/secrets/token",
    "password=`cat /run/pw`",
    "curl -u <user:password> https://example.org",
    '"token": "access_token"',
    "mailgun: see chapter-three-of-the-manual",
    "xoxb-abcdef-abcdef",
]
CALLED = [
    "Phone:\n60-56-85-91",
    "They are not answering at 78 651 450",
    "082 490 1693-Office",
    "655 437 108 office",
    "930.167.3943",
    "text me at 668 5702",
]


@pytest.mark.parametrize("text", [*FORMS, *ASSIGNED])
def test_a_key_is_found(text: str) -> None:
    assert "[secret:" in Redactor().redact(f"see {text} now")


@pytest.mark.parametrize("text", SHOWN)
def test_what_shows_the_form_of_a_key_is_none(text: str) -> None:
    assert "[secret:" not in Redactor().redact(text)


@pytest.mark.parametrize("text", CALLED)
def test_a_telephone_number_is_found(text: str) -> None:
    assert "[phone]" in Redactor().redact(text)


@pytest.mark.parametrize("text", ["12.04.2024", "1,234,567 and 100 200 300", "04-05-2024", "123 456 7890 a"])
def test_other_numbers_are_none(text: str) -> None:
    assert "[phone]" not in Redactor().redact(text)


def test_drawn_keys_are_told_from_written_ones() -> None:
    assert checks.varied(KEY[:32]) and checks.varied(HEX[:32])
    assert not checks.varied("abcdefghijklmnop" + KEY[:16])
    assert not checks.varied("a" * 12 + KEY[:20])
    assert not checks.varied("EXAMPLE" + KEY[:20])
    assert not checks.assigned(None)


HOSTILE = {
    "providers": "datadog = " * 10_000,
    "bundles": "BUNDLE_A__B" * 9_000,
    "grouped": "12-34-56-78-" * 8_000,
    "offices": "123 456 789 " * 8_000 + "office",
    "names": "token" + "_id" * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_bounded_time(name: str) -> None:
    redact, seconds = Redactor().redact, []
    for _ in range(3):
        started = time.process_time()
        redact(HOSTILE[name])
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.1  # 50 ms on a quiet core
