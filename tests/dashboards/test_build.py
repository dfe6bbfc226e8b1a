"""The committed dashboards are what the panels say, in Grafana's classic model."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from dashboards.build import DATASOURCE_UID, HERE, PLUGIN, dashboards, text, write
from dashboards.panels import OVERVIEW, VARIABLES

Json = dict[str, Any]


@pytest.fixture
def overview() -> Json:
    model: Json = json.loads((HERE / "overview.json").read_text())
    return model


def test_committed_files_are_what_is_built() -> None:
    committed = {path.name: path.read_text() for path in HERE.glob("*.json")}
    built = {name: text(model) for name, model in dashboards().items()}
    assert committed == built, "run `make dashboards`"


def test_writing_puts_every_dashboard_into_the_folder(tmp_path: Path) -> None:
    assert [path.name for path in write(tmp_path)] == sorted(dashboards())
    assert (tmp_path / "overview.json").read_text() == (HERE / "overview.json").read_text()


def test_panels_have_their_own_numbers_titles_and_questions() -> None:
    assert len({panel.id for panel in OVERVIEW}) == len({panel.title for panel in OVERVIEW}) == len(OVERVIEW)
    assert all(panel.question.endswith("?") for panel in OVERVIEW)


def test_panels_fill_the_grid_without_overlap(overview: Json) -> None:
    grids = [panel["gridPos"] for panel in overview["panels"]]
    assert all(grid["x"] + grid["w"] <= 24 for grid in grids)
    for one, other in combinations(grids, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    assert sum(grid["w"] * grid["h"] for grid in grids) == 24 * max(grid["y"] + grid["h"] for grid in grids)


def test_every_query_says_its_format(overview: Json) -> None:
    formats = {"timeseries": 0, "table": 1, "stat": 1}
    for panel in overview["panels"]:
        (target,) = panel["targets"]
        assert target["editorType"] == "sql"
        assert target["format"] == formats[panel["type"]]
        assert target["queryType"] == ("table" if target["format"] else "timeseries")


def test_everything_asks_the_chosen_data_source(overview: Json) -> None:
    chosen = {"type": PLUGIN, "uid": "${datasource}"}
    source, *variables = overview["templating"]["list"]
    assert (source["type"], source["query"], source["current"]["value"]) == (
        "datasource",
        PLUGIN,
        DATASOURCE_UID,
    )
    assert all(variable["datasource"] == chosen for variable in variables)
    assert all(
        panel["datasource"] == panel["targets"][0]["datasource"] == chosen for panel in overview["panels"]
    )
    assert [variable["name"] for variable in variables] == [variable.name for variable in VARIABLES]


def test_no_panel_is_finer_than_the_minutes_it_reads(overview: Json) -> None:
    assert {panel["interval"] for panel in overview["panels"]} == {"1m"}


def test_thresholds_begin_at_nothing(overview: Json) -> None:
    (steps,) = [
        panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        for panel in overview["panels"]
        if "thresholds" in panel["fieldConfig"]["defaults"]
    ]
    assert [step["value"] for step in steps] == [None, 1, 20]


def test_no_name_of_this_machine_or_database_is_in_the_queries() -> None:
    for panel in OVERVIEW:
        assert "tocsin." not in panel.sql
        assert "$__" in panel.sql


def test_the_page_about_dashboards_lists_every_panel() -> None:
    page = (HERE.parent / "docs" / "dashboards.md").read_text()
    listed = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.endswith("? |")]
    assert listed == [panel.title for panel in OVERVIEW]
    assert all(f"| {panel.title} | {panel.question} |" in page for panel in OVERVIEW)
