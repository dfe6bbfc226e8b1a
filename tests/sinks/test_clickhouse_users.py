"""The users' file as text: the embedded engine has no users, so this is all that is checked of it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent.parent
FILE = ElementTree.parse(ROOT / "compose" / "clickhouse" / "users.d" / "tocsin.xml")
GRANTS = {
    user.tag: [grant.text or "" for grant in user.iterfind("grants/query")]
    for user in FILE.find("users") or ()
}
RIGHTS = {
    name: " ".join(re.sub(r"^GRANT | ON .*", "", text) for text in texts) for name, texts in GRANTS.items()
}


def test_each_part_has_a_user_of_its_own_with_a_password_from_outside() -> None:
    assert set(GRANTS) == {"tocsin", "tocsin_migrator", "grafana"}
    for user in FILE.find("users") or ():
        password = user.find("password")
        assert password is not None and password.attrib["from_env"].startswith("CLICKHOUSE_")
        assert not password.text


def test_the_writer_adds_and_reads_and_changes_nothing() -> None:
    assert set(re.findall(r"[A-Z]+", RIGHTS["tocsin"])) == {"INSERT", "SELECT"}


def test_only_the_migrator_may_change_tables() -> None:
    assert {"CREATE TABLE", "ALTER TABLE", "CREATE VIEW"} <= set(RIGHTS["tocsin_migrator"].split(", "))
    assert not any(re.search("CREATE|ALTER|DROP", RIGHTS[name]) for name in ("tocsin", "grafana"))


def test_grafana_only_reads_what_dashboards_show() -> None:
    assert set(RIGHTS["grafana"].split()) == {"SELECT"}
    tables = {re.sub(r".* ON tocsin\.", "", grant) for grant in GRANTS["grafana"]}
    assert tables == {"alerts", "alerts_current", "events", "minutes", "quarantine", "usage"}
    shown = (ROOT / "dashboards").glob("*.py")
    asked = {name for path in shown for name in re.findall(r"\bFROM (\w+)", path.read_text(encoding="utf-8"))}
    made = {path.stem for path in (Path(__file__).parent / "golden").glob("*.sql")}
    assert asked & made <= tables


def test_grafana_has_limits_that_it_cannot_lift() -> None:
    profile = FILE.find("profiles/tocsin_grafana")
    assert profile is not None and profile.findtext("readonly") == "2"
    limits = ("max_execution_time", "max_memory_usage", "max_result_rows", "max_rows_to_read")
    for name in limits:
        assert profile.findtext(name) == profile.findtext(f"constraints/{name}/max")
    assert profile.find("constraints/readonly/readonly") is not None
    assert FILE.findtext("users/grafana/profile") == FILE.findtext("users/grafana/quota") == "tocsin_grafana"
    assert FILE.find("quotas/tocsin_grafana/interval/queries") is not None
