"""Compose and provisioning files, field by field; no Docker and no Grafana run here."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml  # type: ignore[import-untyped]
from parts.kafka_server import JARS, JAVA, PROPERTIES

from dashboards.build import DATASOURCE_UID, FOLDER_TITLE, FOLDER_UID, HERE, PLUGIN, PLUGIN_VERSION
from dashboards.push import Datasource
from sinks.clickhouse import ClickHouse
from tocsin.config import load, stable_detectors

COMPOSE = Path(__file__).parents[2] / "compose"
PROVISIONING = COMPOSE / "grafana" / "provisioning"

Fields = dict[str, Any]

FILE: Fields = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
SERVICES: dict[str, Fields] = FILE["services"]
ONCE = {"migrate", "topics"}  # services that end by themselves
KNOWN = {  # of a service, by the Compose specification
    *("image", "build", "entrypoint", "command", "environment", "volumes", "ports", "healthcheck", "restart"),
    *("depends_on", "stop_grace_period", "ulimits", "read_only", "tmpfs", "cap_drop", "security_opt"),
}


def mounts(service: Fields) -> list[tuple[str, str, str]]:
    """Source, target and mode of each volume."""
    found = []
    for volume in service.get("volumes", ()):
        source, target, *mode = volume.split(":")
        found.append((source, target, mode[0] if mode else ""))
    return found


def texts(value: Any) -> list[str]:
    """Every text in a structure."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_a_compose_file_holds_nothing_else() -> None:
    assert set(FILE) == {"name", "services", "volumes"}
    for name, service in SERVICES.items():
        assert set(service) <= KNOWN, name


def test_every_mounted_path_is_there_and_read_only() -> None:
    for service in SERVICES.values():
        for source, target, mode in mounts(service):
            assert target.startswith("/")
            if source.startswith("."):
                assert (COMPOSE / source).exists(), source
                assert mode == "ro"
            else:
                assert source in FILE["volumes"]


def test_images_have_a_version() -> None:
    for service in SERVICES.values():
        image = service["image"]
        if image == "tocsin":
            assert (COMPOSE / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        else:
            assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)+", image)


def test_services_wait_for_what_they_need() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if name in ONCE else "service_healthy"
            assert how == {"condition": condition}
            assert name in ONCE or "healthcheck" in SERVICES[name]
    assert set(SERVICES["tocsin"]["depends_on"]) == {"kafka", "topics", "migrate"}


def test_services_come_back_by_themselves() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("on-failure:5" if name in ONCE else "unless-stopped")


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)


def test_passwords_come_from_the_environment() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|SECRET|TOKEN", name):
                assert re.fullmatch(r"\$\{[A-Z_]+:-[a-z-]+-for-local-use\}", value), name


def test_variables_have_a_default_and_shell_variables_are_doubled() -> None:
    for text in texts(SERVICES):
        assert not re.sub(r"\$\{[A-Z_]+:-[^}]*\}|\$\$", "", text).count("$"), text


def test_what_runs_our_code_has_no_rights() -> None:
    for name in ("tocsin", "simulator"):
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_drain_fits_into_the_grace_period() -> None:
    assert SERVICES["tocsin"]["stop_grace_period"] == "15s"  # SIGTERM drains within 10


def test_kafka_speaks_under_the_name_that_others_use() -> None:
    lines = [line for line in PROPERTIES.read_text().splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines)
    assert len(settings) == len(lines)
    advertised = dict(each.split("://") for each in settings["advertised.listeners"].split(","))
    assert advertised == {"PLAINTEXT": "kafka:9092", "HOST": "localhost:29092"}
    assert SERVICES["kafka"]["ports"] == ["127.0.0.1:29092:29092"]
    assert settings["log.dirs"] in {target for _, target, _ in mounts(SERVICES["kafka"])}
    assert settings["auto.create.topics.enable"] == "false"


@pytest.mark.kafka
def test_a_restarted_kafka_keeps_its_data(tmp_path: Path) -> None:
    """The image runs this command at every start."""
    if not JARS.is_dir() or shutil.which("java") is None:
        pytest.skip("no Apache Kafka: run scripts/fetch-kafka")
    script = SERVICES["kafka"]["command"][0]
    (options,) = re.findall(r"kafka-storage\.sh (format .*) -t", script)
    cluster = SERVICES["kafka"]["environment"]["CLUSTER_ID"].removeprefix("${KAFKA_CLUSTER_ID:-").rstrip("}")
    properties, data = tmp_path / "server.properties", tmp_path / "data"
    properties.write_text(re.sub("log.dirs=.*", f"log.dirs={data}", PROPERTIES.read_text()))
    tool = [*JAVA, "kafka.tools.StorageTool", *options.split(), "-t", cluster, "-c", str(properties)]
    for _ in range(2):
        subprocess.run(tool, check=True, capture_output=True, timeout=60)
    assert f"cluster.id={cluster}" in (data / "meta.properties").read_text()


def test_the_data_source_is_the_one_that_dashboards_name() -> None:
    (path,) = (PROVISIONING / "datasources").iterdir()
    file = yaml.safe_load(path.read_text())
    assert file["apiVersion"] == 1
    (source,) = file["datasources"]
    assert (source["uid"], source["type"], source["access"]) == (DATASOURCE_UID, PLUGIN, "proxy")
    assert source["jsonData"] == Datasource(host="clickhouse").model()["jsonData"]
    assert source["secureJsonData"] == {"password": "$CLICKHOUSE_GRAFANA_PASSWORD"}
    assert "CLICKHOUSE_GRAFANA_PASSWORD" in SERVICES["grafana"]["environment"]
    assert SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"] == f"{PLUGIN}@{PLUGIN_VERSION}"


def test_dashboards_are_found_where_they_are_mounted() -> None:
    (path,) = (PROVISIONING / "dashboards").iterdir()
    file = yaml.safe_load(path.read_text())
    assert file["apiVersion"] == 1
    (provider,) = file["providers"]
    assert (provider["type"], provider["folder"], provider["folderUid"]) == ("file", FOLDER_TITLE, FOLDER_UID)
    where = {target: source for source, target, _ in mounts(SERVICES["grafana"])}
    folder = (COMPOSE / where[provider["options"]["path"]]).resolve()
    assert folder == HERE
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (folder / home.name).is_file()
    assert str(home.parent) == provider["options"]["path"]


def test_tocsin_takes_its_configuration() -> None:
    environment = SERVICES["tocsin"]["environment"]
    config = load(COMPOSE / "tocsin.toml", {name: "secret" for name in environment})
    assert config.warnings == ()
    assert config.exchange is not None
    assert {instance.name for instance in config.instances} == set(stable_detectors())


def test_everyone_names_the_same_topic_and_places() -> None:
    tables = tomllib.loads((COMPOSE / "tocsin.toml").read_text())
    (topic,) = tables["source"]["topics"]
    assert topic in SERVICES["simulator"]["command"]
    assert topic in SERVICES["topics"]["command"][0].split()
    assert tables["source"]["brokers"] == ["kafka:9092"]
    state = Path(tables["checkpoints"]["directory"])
    assert {target for _, target, _ in mounts(SERVICES["tocsin"])} >= {str(state.parent)}


def test_each_part_has_a_user_of_its_own() -> None:
    users = ElementTree.parse(COMPOSE / "clickhouse" / "users.d" / "tocsin.xml").getroot().find("users")
    assert users is not None
    variables = {user.tag: user.find("password").attrib["from_env"] for user in users}  # type: ignore[union-attr]
    server = SERVICES["clickhouse"]["environment"]
    for service in ("migrate", "tocsin"):
        environment = SERVICES[service]["environment"]
        sink = load(COMPOSE / "tocsin.toml", environment).sinks["clickhouse"]
        assert isinstance(sink, ClickHouse)
        assert environment["CLICKHOUSE_PASSWORD"] == server[variables[sink.place().user]]
    grafana = Datasource(host="clickhouse").username
    assert variables[grafana] == "CLICKHOUSE_GRAFANA_PASSWORD"
    assert SERVICES["grafana"]["environment"][variables[grafana]] == server[variables[grafana]]


def test_the_default_user_is_gone() -> None:
    users = ElementTree.parse(COMPOSE / "clickhouse" / "users.d" / "default.xml").getroot().find("users")
    assert users is not None
    assert [(user.tag, user.attrib) for user in users] == [("default", {"remove": "remove"})]
    mounted = {source for source, _, _ in mounts(SERVICES["clickhouse"])}
    assert {f"./clickhouse/users.d/{name}.xml" for name in ("tocsin", "default")} <= mounted
