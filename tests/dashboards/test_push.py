"""Push against a stand-in for Grafana's API; no Grafana runs here."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from parts.grafana import StandIn, running

from dashboards import push as module
from dashboards.build import DATASOURCE_UID, dashboards
from dashboards.push import Datasource, Grafana, PushError, Step, differences, main, push

CLICKHOUSE = Datasource(host="clickhouse", password="secret-of-reader")


@pytest.fixture
def grafana() -> StandIn:
    return StandIn()


@pytest.fixture
def url(grafana: StandIn) -> Iterator[str]:
    with running(grafana) as url:
        yield url


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


def pushed(url: str, datasource: Datasource | None = CLICKHOUSE, token: str = "right") -> list[Step]:
    return list(push(Grafana(url, token), datasource))


def outcomes(steps: list[Step]) -> list[str]:
    return [step.outcome for step in steps]


def test_an_empty_grafana_gets_everything(grafana: StandIn, url: str) -> None:
    assert outcomes(pushed(url)) == ["created", "unchanged", "created", "created"]
    assert grafana.passwords == {DATASOURCE_UID: "secret-of-reader"}
    assert grafana.dashboards["tocsin-overview"]["meta"]["folderUid"] == "tocsin"
    stored = grafana.dashboards["tocsin-overview"]["dashboard"]
    assert not list(
        differences({k: v for k, v in dashboards()["overview.json"].items() if k != "version"}, stored)
    )


def test_pushing_twice_writes_nothing(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.requests.clear()
    assert outcomes(pushed(url)) == ["unchanged"] * 4
    assert grafana.writes == []


def test_a_changed_panel_is_named_before_it_is_overwritten(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.dashboards["tocsin-overview"]["dashboard"]["panels"][3]["title"] = "Mine"
    steps = pushed(url)
    assert steps[-1] == Step("dashboard tocsin-overview", "updated", ["panels[3].title"])
    assert grafana.dashboards["tocsin-overview"]["dashboard"]["panels"][3]["title"] == "Newest event"


def test_what_grafana_adds_by_itself_is_no_difference(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.dashboards["tocsin-overview"]["dashboard"]["panels"][0]["pluginVersion"] = "13.2.2"
    assert outcomes(pushed(url))[-1] == "unchanged"


def test_a_dashboard_moved_elsewhere_comes_back(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.dashboards["tocsin-overview"]["meta"]["folderUid"] = "attic"
    assert pushed(url)[-1].changes == ["folder"]
    assert grafana.dashboards["tocsin-overview"]["meta"]["folderUid"] == "tocsin"


def test_a_dry_run_writes_nothing(grafana: StandIn, url: str) -> None:
    steps = list(push(Grafana(url, "right"), CLICKHOUSE, dry_run=True))
    assert outcomes(steps) == ["created", "created", "created"]
    assert grafana.writes == []


def test_a_changed_data_source_keeps_what_others_set(grafana: StandIn, url: str) -> None:
    pushed(url)
    kept = grafana.datasources[DATASOURCE_UID]["jsonData"]
    kept |= {"host": "elsewhere", "dialTimeout": "10"}
    assert pushed(url)[0] == Step(f"data source {DATASOURCE_UID}", "updated", ["jsonData.host"])
    assert grafana.datasources[DATASOURCE_UID]["jsonData"]["host"] == "clickhouse"
    assert grafana.datasources[DATASOURCE_UID]["jsonData"]["dialTimeout"] == "10"


def test_without_a_data_source_only_dashboards_are_pushed(grafana: StandIn, url: str) -> None:
    assert outcomes(pushed(url, None)) == ["created", "created"]
    assert not grafana.datasources


def test_what_came_from_files_is_left_alone(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.datasources[DATASOURCE_UID] |= {"readOnly": True, "jsonData": {}}
    grafana.provisioned.add("tocsin-overview")
    grafana.dashboards["tocsin-overview"]["dashboard"]["title"] = "Old"
    steps = pushed(url)
    assert (steps[0].outcome, steps[-1].outcome) == ("left alone", "left alone")


def test_a_starting_grafana_is_waited_for(grafana: StandIn, url: str) -> None:
    grafana.unready = 3
    assert outcomes(pushed(url))[0] == "created"


def test_a_folder_made_meanwhile_is_no_error(
    grafana: StandIn, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grafana.folders["tocsin"] = {"uid": "tocsin", "title": "Tocsin"}
    looked = Grafana.get
    monkeypatch.setattr(
        Grafana, "get", lambda self, path: None if path.startswith("/folders") else looked(self, path)
    )
    assert outcomes(pushed(url, None)) == ["unchanged", "created"]


def test_an_unreachable_clickhouse_is_told(grafana: StandIn, url: str) -> None:
    grafana.reachable = False
    assert outcomes(pushed(url)) == ["created", "failed", "created", "created"]


def test_a_wrong_token_names_the_remedy(url: str) -> None:
    with pytest.raises(PushError, match="401: the token is wrong or expired: make one under"):
        pushed(url, token="wrong")


def test_a_weak_token_names_the_role(grafana: StandIn, url: str) -> None:
    grafana.forbidden.add("/api/datasources")
    with pytest.raises(PushError, match=r"POST /datasources: 403: .* role Admin"):
        pushed(url)


def test_a_missing_plugin_names_the_remedy(grafana: StandIn, url: str) -> None:
    grafana.plugin = False
    with pytest.raises(PushError, match="GF_PLUGINS_PREINSTALL_SYNC=grafana-clickhouse-datasource"):
        pushed(url)


def test_an_old_grafana_is_refused(grafana: StandIn, url: str) -> None:
    grafana.version = "11.5.9"
    with pytest.raises(PushError, match=r"Grafana 11\.5\.9 is too old"):
        pushed(url)


@pytest.mark.parametrize("version", ["11.6.0", "12.0.0-security-01", "13.3.0-27364731092"])
def test_new_versions_of_every_spelling_are_taken(grafana: StandIn, url: str, version: str) -> None:
    grafana.version = version
    assert pushed(url)


def test_somebody_who_saved_meanwhile_is_not_overwritten(grafana: StandIn, url: str) -> None:
    pushed(url)
    grafana.dashboards["tocsin-overview"]["dashboard"]["title"] = "Old"
    grafana.saved_by_another = True
    with pytest.raises(PushError, match="412: somebody saved another version meanwhile: push again"):
        pushed(url)
    assert grafana.dashboards["tocsin-overview"]["dashboard"]["title"] == "Old"


def test_nobody_at_the_address_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(PushError, match="does not answer as Grafana does"):
            pushed(url)


class Stranger(StandIn):
    """Some other server that answers everything alike."""

    def __init__(self, status: int, text: bytes) -> None:
        super().__init__()
        self.said = status, text.decode() if text.startswith(b"<") else json.loads(text)

    def answer(self, verb: str, path: str, authorization: str, body: dict[str, object]) -> tuple[int, object]:
        return self.said


@pytest.mark.parametrize("text", [b"<html>Log in</html>", b'["message"]', b'"message"', b"[]"])
@pytest.mark.parametrize("status", [200, 400])
def test_something_else_at_the_address_is_told(status: int, text: bytes) -> None:
    with running(Stranger(status, text)) as url, pytest.raises(PushError):
        pushed(url)


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://grafana", "http://"])
def test_no_address_is_told(url: str) -> None:
    with pytest.raises(PushError, match=r"no http\(s\) address"):
        Grafana(url, "right")


def test_a_path_before_the_api_is_kept(grafana: StandIn, url: str) -> None:
    with pytest.raises(PushError, match="404"):
        pushed(f"{url}/monitoring/")
    assert grafana.requests[0][1] == "/monitoring/api/health"


def test_the_command_tells_steps_and_keeps_secrets(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "right")
    monkeypatch.setenv("GRAFANA_CLICKHOUSE_PASSWORD", "secret-of-reader")
    assert main(["--url", url, "--clickhouse-host", "clickhouse"]) == 0
    assert "created     dashboard tocsin-overview" in (said := capsys.readouterr().out)
    assert "secret-of-reader" not in said
    monkeypatch.setenv("GRAFANA_TOKEN", "wrong")
    assert main(["--url", url]) == 1
    assert "401" in capsys.readouterr().err
    monkeypatch.delenv("GRAFANA_TOKEN")
    assert main(["--url", url]) == 1
    assert "GRAFANA_TOKEN" in capsys.readouterr().err
