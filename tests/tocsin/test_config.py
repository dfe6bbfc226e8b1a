"""One file to one Config; every mistake at once, with place and remedy, and no secret in it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import config, registry
from tocsin.contracts import ConfigError
from tocsin.settings import DetectorOptions

KAFKA = """
[source]
type = "kafka"
brokers = "localhost:9092"
topics = ["llm"]
start = "earliest"
"""
GOOD = f"""
{KAFKA}
direct = true
[content]
key = "k"
[sinks.clickhouse]
"""


def read(text: str, environment: Mapping[str, str] | None = None, **options: Any) -> config.Config:
    return config.read(tomllib.loads(text), environment or {}, **options)


def mistakes(text: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(text, environment)
    return caught.value.mistakes


def mistake(text: str, environment: Mapping[str, str] | None = None) -> str:
    (only,) = mistakes(text, environment)
    return only


def test_a_short_file_is_enough() -> None:
    made = read(GOOD)
    assert type(made.source).__name__ == "KafkaSource"
    assert made.format == "auto"
    assert list(made.sinks) == ["clickhouse"]
    assert made.checkpoints.directory == ".tocsin/state"
    assert made.warnings == ()


def test_every_mistake_is_told_at_once() -> None:
    told = mistakes(
        """
        [sorce]
        type = "file"
        [engine]
        bach_rows = 3
        linger_ms = "soon"
        [detectors.error_burst]
        failures = 1
        [detectors.eror_burst]
        [detectors.drift]
        type = "drft"
        [sinks.console]
        format = "xml"
        """
    )
    assert "[sorce] unknown table; did you mean 'source'?" in told
    assert any(one.startswith("[source] missing: say where records come from") for one in told)
    assert "[engine] bach_rows: unknown; did you mean 'batch_rows'?" in told
    assert "[engine] linger_ms: expected `int`, got `str`" in told
    assert "[detectors.error_burst] failures: expected `int` >= 2, got 1" in told
    assert "[detectors.eror_burst] unknown detector 'eror_burst'; did you mean 'error_burst'?" in told
    assert "[detectors.drift] type: unknown detector 'drft'; did you mean 'drift'?" in told
    assert "[sinks.console] format: must be one of text, json" in told
    assert len(told) == 8


def test_what_must_be_given_says_what_it_is() -> None:
    told = mistakes(GOOD.replace('start = "earliest"', ""))
    assert len(told) == 1 and told[0].startswith("[source] start: missing; where a partition begins")


def test_rules_inside_a_table_have_a_place() -> None:
    assert mistake(GOOD.replace('topics = ["llm"]', "")) == "[source] name either topics or a pattern"


def test_nested_tables_are_read_as_strictly() -> None:
    told = mistake(GOOD.replace("direct = true", 'direct = true\n[source.security]\nprotocl = "SSL"'))
    assert told == "[source.security] protocl: unknown; did you mean 'protocol'?"


def test_several_partitions_need_the_exchange() -> None:
    told = mistake(GOOD.replace("direct = true", ""))
    assert told.startswith("[exchange] missing") and "direct = true" in told


def test_an_exchange_that_is_not_used_is_a_mistake() -> None:
    assert mistake(GOOD + "[exchange]\n").startswith("[exchange] not used")


def test_a_sink_must_keep_something() -> None:
    assert mistake(GOOD.replace("[sinks.clickhouse]", "")).startswith("[sinks] missing")
    assert mistake(GOOD.replace("[sinks.clickhouse]", "[sinks.console]")).startswith("[sinks] none of these")


def test_hashes_without_a_key_are_warned_of() -> None:
    (warning,) = read(GOOD.replace('key = "k"', "")).warnings
    assert warning.startswith("[content] key: empty") and "${TOCSIN_CONTENT_KEY}" in warning


def test_stable_detectors_run_unless_said_otherwise() -> None:
    names = [instance.name for instance in read(GOOD).instances]
    assert names == sorted(config.stable_detectors()) and "error_burst" in names
    off = read(GOOD + "[detectors.error_burst]\nenabled = false\n")
    assert "error_burst" not in [instance.name for instance in off.instances]


def test_defaults_can_be_switched_off() -> None:
    made = read(
        GOOD + '[detectors]\ndefaults = false\n[detectors.strict]\ntype = "error_burst"\nfailures = 2\n'
    )
    (instance,) = made.instances
    assert (instance.name, instance.type) == ("strict", "error_burst")
    assert msgspec.structs.asdict(instance.detector)["failures"] == 2


def test_options_of_the_engine_stand_beside_settings() -> None:
    made = read(GOOD + "[detectors.error_burst]\nfailures = 9\nmax_keys = 50\n")
    instance = next(each for each in made.instances if each.name == "error_burst")
    assert instance.options.max_keys == 50
    assert msgspec.structs.asdict(instance.detector)["failures"] == 9


def test_no_detector_takes_a_name_from_the_engine() -> None:
    taken = {field.name for field in msgspec.structs.fields(DetectorOptions)}
    for name in registry.builtins(registry.DETECTORS):
        own = {field.name for field in msgspec.structs.fields(registry.load(registry.DETECTORS, name))}
        assert not own & taken, name


def test_the_environment_fills_in_texts_numbers_and_lists() -> None:
    text = GOOD.replace('"localhost:9092"', '"${HOST}:${PORT:-9092}"').replace('["llm"]', '["${TOPIC}"]')
    text += '[engine]\nbatch_rows = "${ROWS:-7}"\n[groups]\ntenant_from_payload = "${TRUST:-true}"\n'
    made = read(text, {"HOST": "h", "TOPIC": "t", "ROWS": "11"})
    assert made.engine.batch_rows == 11
    assert made.groups.tenant_from_payload is True
    settings = msgspec.structs.asdict(made.source)
    assert settings["brokers"] == "h:9092" and settings["topics"] == ("t",)


def test_a_number_in_quotes_is_a_mistake_unless_the_environment_wrote_it() -> None:
    assert mistake(GOOD + '[engine]\nbatch_rows = "7"\n') == "[engine] batch_rows: expected `int`, got `str`"


def test_a_variable_that_is_not_set_is_one_mistake() -> None:
    told = mistake(GOOD.replace('"localhost:9092"', '"${NOWHERE}"'))
    assert told == (
        "[source] brokers: the environment variable NOWHERE is not set; set it, or write ${NOWHERE:-default}"
    )


def test_a_doubled_dollar_is_a_dollar() -> None:
    assert read(GOOD.replace('key = "k"', 'key = "$${X}"')).content.key == "${X}"


def test_mistakes_hold_no_value_of_a_variable() -> None:
    secret = "hunter2-hunter2"
    text = GOOD.replace("[sinks.clickhouse]", '[sinks.clickhouse]\nfsync = "${S}"\nengine = "x${S}"\n')
    text = text.replace('start = "earliest"', 'start = "${S}"')
    told = mistakes(text, {"S": secret})
    assert len(told) == 3
    assert secret not in "".join(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source = 3", "[source] must be a table"),
        ("[engine]\n[[engine.x]]", "[engine] x: unknown"),
        ("engine = 1", "[engine] must be a table"),
        ("sinks = 1", "[sinks] must hold one table for each, like [sinks.name]"),
        ("[sinks]\nclickhouse = 1", "[sinks.clickhouse] must be a table"),
        ("[detectors]\nerror_burst = 1", "[detectors.error_burst] must be a table"),
        ("[detectors]\ndefaults = 1", "[detectors] defaults: must be true or false"),
        ('[detectors."Bad Name"]\ntype = "drift"', "[detectors.Bad Name] names are lower case"),
        ('[checkpoints]\ntype = "sqlit"', "[checkpoints] type: unknown checkpoint store 'sqlit'; did you"),
        ("[source]\ntype = 3", "[source] type: missing; one of"),
        ('[source]\ntype = ""', "[source] type: missing; one of"),
    ],
)
def test_wrong_shapes_are_told(text: str, said: str) -> None:
    assert any(one.startswith(said) for one in mistakes(text))


def test_an_unknown_format_is_told() -> None:
    told = mistake(GOOD.replace("direct = true", 'direct = true\nformat = "otpl"'))
    assert told == "[source] format: unknown format 'otpl'; did you mean 'otlp'?"


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tocsin\.toml: cannot be read: No such file"):
        config.load(tmp_path / "tocsin.toml")
    for bad in (b"a = = 1", b"[a]\n[a]\n", b"\xff\xfe"):
        (tmp_path / "tocsin.toml").write_bytes(bad)
        with pytest.raises(ConfigError, match="is not TOML"):
            config.load(tmp_path / "tocsin.toml")


def test_the_hash_of_a_plan_follows_what_shapes_results_alone() -> None:
    one = read(GOOD).plan.config_hash
    assert one == read(GOOD + "[engine]\nbatch_rows = 9\n").plan.config_hash
    assert one != read(GOOD + "[detectors.error_burst]\nfailures = 9\n").plan.config_hash
    assert one != read(GOOD + "[groups]\nmax_groups = 9\n").plan.config_hash


def test_nothing_else_reads_the_environment() -> None:
    """Apart from the command that pushes dashboards, from the temporary folder of the embedded engine, from
    where compiled rules are kept, and from sketches, which are made in applications that have no
    configuration of ours."""
    root = Path(__file__).parents[2]
    readers = {
        str(path.relative_to(root))
        for package in registry.PACKAGES
        for path in (root / package).rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers <= {
        "tocsin/config.py",
        "tocsin/reading/kept.py",
        "tocsin/reading/sketch.py",
        "dashboards/push.py",
        "sinks/clickhouse_client.py",
    }


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("${X:-1}"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "x", "security"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*config.TABLES, "other"]), TREES, max_size=4))
def test_no_tree_crashes_the_reader(tables: dict[str, Any]) -> None:
    try:
        config.read(tables, os.environ)
    except ConfigError as error:
        assert error.mistakes
