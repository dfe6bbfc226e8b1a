"""Secrets and personal data of every type are gone after redaction, and what merely looks alike stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import pace

from tocsin.reading import checks, ids
from tocsin.reading.patterns import PATTERNS
from tocsin.reading.redaction import Redactor

KEY = "Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca"  # varied enough to be a key
LONG = KEY * 4
HEX = "0f1e2d3c" * 8

# (type, the text around it with {}, what must be gone)
PLANTED: list[tuple[str, str, str]] = [
    ("secret:private_key", "{}-----END RSA PRIVATE KEY-----", f"-----BEGIN RSA PRIVATE KEY-----\n{LONG}\n"),
    ("secret:jwt", "{}", f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.{KEY}"),
    ("secret:connection", "postgres://app:{}@db.internal/x", KEY[:12]),
    ("secret:anthropic_key", "{}", f"sk-ant-api03-{LONG[:60]}"),
    ("secret:openrouter_key", "{}", f"sk-or-v1-{HEX}"),
    ("secret:openai_key", "{}", f"sk-proj-{KEY}"),
    ("secret:stripe_key", "{}", f"sk_live_{KEY[:24]}"),
    ("secret:stripe_webhook", "{}", f"whsec_{KEY}"),
    ("secret:aws_key", "{}", "AKIAZQ8XW2RT5YP9LS4K"),
    ("secret:google_key", "{}", f"AIza{LONG[:35]}"),
    ("secret:google_oauth", "{}", f"ya29.{KEY}"),
    ("secret:google_client", "{}", f"GOCSPX-{KEY[:28]}"),
    ("secret:github_token", "{}", f"ghp_{LONG[:36]}"),
    ("secret:gitlab_token", "{}", f"glpat-{KEY[:20]}"),
    ("secret:slack_token", "{}", f"xoxb-1234567890-{KEY}"),
    ("secret:published_key", "{}", f"pk_live_{KEY[:24]}"),
    ("secret:slack_app_token", "{}", f"xapp-1-{KEY}"),
    ("secret:slack_webhook", "https://{}", f"hooks.slack.com/services/T01234567/B01234567/{KEY[:12]}"),
    ("secret:discord_webhook", "https://{}", f"discord.com/api/webhooks/123456789012345678/{LONG[:60]}"),
    ("secret:telegram_token", "{}", f"123456789:AA{LONG[:33]}"),
    ("secret:huggingface_token", "{}", f"hf_{LONG[:34]}"),
    ("secret:replicate_token", "{}", f"r8_{LONG[:37]}"),
    ("secret:groq_key", "{}", f"gsk_{LONG[:52]}"),
    ("secret:xai_key", "{}", f"xai-{LONG[:80]}"),
    ("secret:perplexity_key", "{}", f"pplx-{LONG[:48]}"),
    ("secret:langsmith_key", "{}", f"lsv2_pt_{HEX[:32]}_{HEX[:10]}"),
    ("secret:langfuse_key", "{}", "sk-lf-0f1e2d3c-1a2b-4c3d-8e9f-0a1b2c3d4e5f"),
    ("secret:npm_token", "{}", f"npm_{LONG[:36]}"),
    ("secret:pypi_token", "{}", f"pypi-{LONG[:60]}"),
    ("secret:sendgrid_key", "{}", f"SG.{KEY[:22]}.{LONG[:43]}"),
    ("secret:twilio_key", "{}", f"SK{HEX[:32]}"),
    ("secret:digitalocean_token", "{}", f"dop_v1_{HEX}"),
    ("secret:databricks_token", "{}", f"dapi{HEX[:32]}"),
    ("secret:shopify_token", "{}", f"shpat_{HEX[:32]}"),
    ("secret:vault_token", "{}", f"hvs.{KEY}"),
    ("secret:linear_key", "{}", f"lin_api_{LONG[:40]}"),
    ("secret:notion_token", "{}", f"ntn_{LONG[:46]}"),
    ("secret:age_key", "{}", f"AGE-SECRET-KEY-1{LONG[:58].upper()}"),
    ("secret:jwt", "{}", f"eyJhbGciOiJSU0EtT0FFUCJ9..{KEY}.{LONG}.{KEY}"),
    ("secret:openai_session", "{}", f"sess-{LONG[:40]}"),
    ("secret:azure_openai_key", "{}", f"{LONG[:52]}JQQJ99{LONG[:10]}AC{LONG[:14]}"),
    ("secret:bedrock_key", "{}", f"ABSK{LONG[:120]}="),
    ("secret:nvidia_key", "{}", f"nvapi-{LONG[:64]}"),
    ("secret:model_key", "{}", f"pcsk_{LONG[:60]}"),
    ("secret:model_key", "{}", f"sk_{HEX[:48]}"),
    ("secret:aws_session", "{}", f"IQoJb3JpZ2lu{LONG}=="),
    ("secret:google_oauth", "{}", f"1//0{LONG[:60]}"),
    ("secret:docker_token", "{}", f"dckr_pat_{LONG[:27]}"),
    ("secret:onepassword_token", "{}", f"ops_eyJ{LONG}"),
    ("secret:azure_secret", "{}", f"aB18Q~{LONG[:34]}"),
    ("secret:facebook_token", "{}", f"EAA{LONG[:120]}"),
    ("secret:atlassian_token", "{}", f"ATATT3{LONG[:100]}"),
    ("secret:discord_token", "{}", f"M{LONG[:24]}.{KEY[:6]}.{LONG[:27]}"),
    ("secret:airtable_token", "{}", f"pat{KEY[:14]}.{HEX}"),
    ("secret:hubspot_token", "{}", "pat-na1-0f1e2d3c-1a2b-4c3d-8e9f-0a1b2c3d4e5f"),
    ("secret:mailgun_key", "{}", f"key-{HEX[:32]}"),
    ("secret:mailchimp_key", "{}", f"{HEX[:32]}-us12"),
    ("secret:service_token", "{}", f"rubygems_{HEX[:48]}"),
    ("secret:service_token", "{}", f"tskey-auth-{KEY}"),
    ("secret:service_token", "{}", f"{KEY[:14]}.atlasv1.{LONG[:67]}"),
    ("secret:login", "curl --user ada:{} https://example.org", f"{KEY[:12]}"),
    ("secret:authorization", "authorization: sha256~{}", KEY),
    ("secret:authorization", '"Authorization": "Basic {}"', "YWRhOmg3"),
    ("secret:said", "my password is {}, please", "hunter2!x"),
    ("secret:assignment", "q=1&password%3D{}", KEY[:16]),
    ("secret:openai_key", "key%3D{}", f"sk-proj-{KEY}"),
    ("email", "{}", "bob%40example.org"),
    ("iban", "my iban is {}", "gb82west12345698765432"),
    ("national_id", "{}", "AB123456C"),
    ("national_id", "{}", "943 476 5919"),
    ("national_id", "{}", "86095742719"),
    ("national_id", "{}", "44051401359"),
    ("national_id", "{}", "811228-9874"),
    ("national_id", "{}", "131052-308T"),
    ("national_id", "{}", "85.07.30-033.28"),
    ("national_id", "{}", "2341 2341 2346"),
    ("national_id", "{}", "130-692-544"),
    ("national_id", "{}", "11010519491231002X"),
    ("national_id", "{}", "900101-1234567"),
    ("national_id", "{}", "HEGG560427MVZRRL04"),
    ("national_id", "{}", "ABCPE1234F"),
    ("phone", "Mobile: {}", "3591-3246"),
    ("phone", "{}", "0494 92 82 32"),
    ("phone", "{}", "(898)666-3621x0135"),
    ("secret:grafana_token", "{}", f"glsa_{KEY}_0f1e2d3c"),
    ("secret:azure_key", "AccountKey={};EndpointSuffix=x", f"{LONG[:86]}=="),
    ("secret:authorization", "Authorization: Bearer {}", KEY),
    ("secret:assignment", 'api_key = "{}"', KEY[:16]),
    ("secret:assignment", '"db_password": "{}",', "hunter2!x"),
    ("secret:assignment", '{{\\"client_secret\\": \\"{}\\"}}', KEY[:20]),
    ("email", "{}", "bob.smith+news@mail.example.co.uk"),
    ("iban", "{}", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "{}", "DE89370400440532013000"),
    ("card", "{}", "4111 1111 1111 1111"),
    ("card", "{}", "5500005555555559"),
    ("national_id", "{}", "536-90-4399"),
    ("national_id", "{}", "529.982.247-25"),
    ("national_id", "{}", "12345678Z"),
    ("national_id", "{}", "RSSMRA85T10A562S"),
    ("national_id", "{}", "255081416802538"),
    ("phone", "{}", "+49 170 1234567"),
    ("phone", "{}", "(415) 555-2671"),
    ("ip", "{}", "203.0.113.77"),
    ("ip", "{}", "2001:db8::8a2e:370:7334"),
]  # fmt: skip

planted = pytest.mark.parametrize(("mark", "around", "secret"), PLANTED)


def test_every_pattern_is_tried() -> None:
    assert {pattern.mark for pattern in PATTERNS} == {mark for mark, _, _ in PLANTED}


@planted
def test_what_is_planted_is_replaced_by_its_mark(mark: str, around: str, secret: str) -> None:
    clean = Redactor().redact(f"before {around.format(secret)} after")
    assert f"[{mark}]" in clean
    assert secret not in clean
    assert clean.startswith("before ")


@planted
def test_a_line_break_written_in_json_hides_nothing(mark: str, around: str, secret: str) -> None:
    assert secret not in Redactor().redact(f'{{"text":"first\\n{around.format(secret)}\\n"}}')


@planted
def test_the_slow_way_without_hyperscan_finds_the_same(mark: str, around: str, secret: str) -> None:
    text = f"before {around.format(secret)} after"
    assert Redactor(prefilter=False).redact(text) == Redactor().redact(text)


@planted
def test_redacting_again_changes_nothing(mark: str, around: str, secret: str) -> None:
    clean = Redactor().redact(f"before {around.format(secret)} after")
    assert Redactor().redact(clean) == clean


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(PLANTED))
def test_it_is_found_in_any_surroundings(before: str, after: str, planted: tuple[str, str, str]) -> None:
    _, around, secret = planted
    assert secret not in Redactor().redact(f"{before} {around.format(secret)} {after}")


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 was sent",  # Luhn fails
        "GB82 WEST 1234 5698 7654 33",  # mod 97 fails
        "529.982.247-26",
        "12345678A",
        "RSSMRA85T10A562T",
        "255081416802539",
        "000-12-3456",
        "03-04-2024 12:30 and 01.02.2023 10.15",
        "docker run -u 1000:1000 image",
        "the password is required, the passphrase was correct",
        "authorization: required",
        "1f2e3d4c5b6a79881f2e3d4c5b6a7988",
        "86095742710 44051401350 811228-9875 131052-308A 2341 2341 2347",
        "at 12:30:45 on 2026-11-25T12:30:45.123Z",
        "1795415016027185547",
        "550e8400-e29b-41d4-a716-446655440000",
        "std::string a::b",
        "version 999.1.2.300 of the api_key setting",
        "listening on 127.0.0.1 and ::1",
        "the password is required",
        "password: required",
        "token=<your-token>",
        "api_key=${OPENAI_API_KEY}",
        '"total_tokens": 1234567, "max_tokens": 4096',
        "see https://example.org/a:b/c@d",
        "sk-learn-extras-are-installed-separately",
        "the bearer of this letter",
        "a@b",
    ],
)
def test_what_merely_looks_alike_stays(text: str) -> None:
    assert Redactor().redact(text) == text


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(Redactor().redact(text + "\ud800"), str)


HOSTILE = {
    "hashes": "#" * 100_000,
    "digits": "1234567890" * 10_000,
    "spaced digits": "1 " * 50_000,
    "dotted digits": "1." * 50_000,
    "colons": ":" * 100_000,
    "hex pairs": "ab:cd:" * 16_000,
    "at signs": "a@" * 50_000,
    "one address": "bob@example.org " + "a." * 50_000,
    "keywords": "password api_key token secret = bearer " * 2_600,
    "assignments": "password=" * 11_000,
    "urls": "http://a:" * 11_000,
    "keys begun": "-----BEGIN PRIVATE KEY-----" * 3_700,
    "tokens begun": "eyJ" * 33_000,
    "cards": "4111 1111 1111 1111 " * 5_000,
    "accounts": "DE44 " * 20_000,
    "addresses": "1:2:3:4:5:6:7:8 " * 6_000,
    "escapes": "\\n" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_bounded_time(name: str) -> None:
    redact = Redactor().redact
    assert pace.seconds(lambda: redact(HOSTILE[name])) < 0.05


def test_two_threads_redact_at_once() -> None:
    text = "nothing here " * 5_000 + "bob@example.org"

    def redact(_: int) -> bool:
        redactor = Redactor()
        return all(redactor.redact(text).endswith("[email]") for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(redact, range(4)))


def test_a_text_of_two_megabytes_without_findings_is_one_scan() -> None:
    redact, text = Redactor().redact, "nothing to see here " * 100_000
    assert len(redact(text)) == 2_000_000
    assert pace.seconds(lambda: redact(text)) < 0.5


def test_checks_know_their_sums() -> None:
    assert checks.card("5500005555555559") and not checks.card("5500005555555558")
    assert checks.iban("DE89 3704 0044 0532 0130 00") and not checks.iban("DE88 3704 0044 0532 0130 00")
    assert ids.nir("255081416802538") and not ids.nir("255081416802537")


@pytest.mark.parametrize(
    "address",
    [
        "2001:db8::1", "fe80::1ff:fe23:4567:890a", "::ffff:1", "1::abc", "abcd::", "a:b:c:d:e:f:1:2",
        "1:2:3:4:5:6::", "12:34:56:78:9:a:b:c",
    ],
)  # fmt: skip
def test_the_screen_lets_every_address_pass(address: str) -> None:
    for text in (address, f"to [{address}]:443", f"x\\n{address}", f"%20{address}."):
        assert Redactor().find(text) == Redactor(prefilter=False).find(text) != []


def test_colons_alone_are_not_looked_at_closely() -> None:
    assert not Redactor().suspects("expr ::= a [x::2] std::vector and b::c")
