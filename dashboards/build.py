"""Panels to dashboards: Grafana's classic JSON model, which Grafana 11.6 to 13 load from files and by API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards.panels import ANNOTATIONS, OVERVIEW, VARIABLES, Panel, Variable

Json = dict[str, Any]

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.20.0"
DATASOURCE_UID = "tocsin-clickhouse"
FOLDER_UID = "tocsin"
FOLDER_TITLE = "Tocsin"
HERE = Path(__file__).parent

SEVERITY_COLOURS: Mapping[str, str] = {
    "info": "blue",
    "low": "green",
    "medium": "yellow",
    "high": "orange",
    "critical": "red",
}
TIME_SERIES, TABLE = 0, 1  # the plugin's `format`; a missing one counts as a time series


def dashboards() -> Mapping[str, Json]:
    """Every dashboard by the name of its committed file."""
    return {"overview.json": dashboard("tocsin-overview", "Tocsin: overview", OVERVIEW)}


def write(folder: Path = HERE) -> Sequence[Path]:
    """Write every dashboard's JSON; returns the files."""
    written = []
    for name, model in dashboards().items():
        path = folder / name
        path.write_text(text(model))
        written.append(path)
    return written


def text(model: Json) -> str:
    """The committed form."""
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> Json:
    """A dashboard of these panels, laid out from left to right."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["tocsin"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource(), *(_variable(each) for each in VARIABLES)]},
        "annotations": {"list": [_annotation()]},
        "links": [],
        "panels": [panel(each, place) for each, place in zip(panels, places(panels), strict=True)],
    }


def places(panels: Sequence[Panel]) -> Sequence[Json]:
    """Grid positions: a row is filled up to 24 columns, the next one starts below its tallest panel."""
    found: list[Json] = []
    x = y = tallest = 0
    for each in panels:
        if x + each.width > 24:
            x, y, tallest = 0, y + tallest, 0
        found.append({"x": x, "y": y, "w": each.width, "h": each.height})
        x, tallest = x + each.width, max(tallest, each.height)
    return found


def panel(panel: Panel, place: Json) -> Json:
    """One panel."""
    return {
        "id": panel.id,
        "title": panel.title,
        "description": panel.question,
        "type": {"number": "stat", "series": "timeseries", "bars": "timeseries", "table": "table"}[
            panel.shape
        ],
        "datasource": _reference(),
        "gridPos": place,
        "interval": "1m",  # nothing is finer than a minute
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
        "targets": [_target(panel)],
    }


def _target(panel: Panel) -> Json:
    series = panel.shape in ("series", "bars")
    return {
        "refId": "A",
        "datasource": _reference(),
        "editorType": "sql",
        "rawSql": panel.sql,
        "format": TIME_SERIES if series else TABLE,
        "queryType": "timeseries" if series else "table",
        "pluginVersion": PLUGIN_VERSION,
    }


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "custom": {}}
    if panel.shape == "bars":
        stacking = {"mode": "normal", "group": "A"}
        defaults["custom"] = {"drawStyle": "bars", "fillOpacity": 80, "lineWidth": 0, "stacking": stacking}
    elif panel.shape == "series":
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 8,
            "showPoints": "never",
            "spanNulls": 300_000,
        }
    elif panel.shape == "table":
        defaults["custom"] = {"filterable": True, "cellOptions": {"type": "auto", "wrapText": False}}
    if panel.thresholds:
        (_, lowest), *rest = panel.thresholds
        steps = [
            {"value": None, "color": lowest},
            *({"value": value, "color": colour} for value, colour in rest),
        ]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return defaults


def _overrides(panel: Panel) -> Sequence[Json]:
    if "severity" in panel.columns and panel.shape == "bars":
        return [_coloured(word, colour) for word, colour in SEVERITY_COLOURS.items()]
    return [_severity_cell(column) for column in panel.columns if column in ("severity", "worst")]


def _coloured(series: str, colour: str) -> Json:
    fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
    return {"matcher": {"id": "byRegexp", "options": f"/\\b{series}\\b/"}, "properties": [fixed]}


def _severity_cell(column: str) -> Json:
    words = {word: {"color": colour, "index": n} for n, (word, colour) in enumerate(SEVERITY_COLOURS.items())}
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [
            {"id": "mappings", "value": [{"type": "value", "options": words}]},
            {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
        ],
    }


def _options(panel: Panel) -> Json:
    if panel.shape == "number":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {
            "reduceOptions": reduce,
            "colorMode": "value" if panel.thresholds else "none",
            "graphMode": "none",
        }
    if panel.shape == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    legend = {"showLegend": True, "displayMode": "list", "placement": "bottom"}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _reference() -> Json:
    return {"type": PLUGIN, "uid": "${datasource}"}


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "ClickHouse",
        "type": "datasource",
        "query": PLUGIN,
        "current": {"text": "Tocsin ClickHouse", "value": DATASOURCE_UID},
        "hide": 0,
    }


def _variable(variable: Variable) -> Json:
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": _reference(),
        "query": {"editorType": "sql", "rawSql": variable.sql, "refId": variable.name, "format": TABLE},
        "current": {"text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "multi": True,
        "refresh": 2,  # when the time range changes
        "hide": 0,
    }


def _annotation() -> Json:
    return {
        "name": "High alerts",
        "datasource": _reference(),
        "enable": True,
        "iconColor": "red",
        "target": {
            "refId": "alerts",
            "editorType": "sql",
            "rawSql": ANNOTATIONS,
            "format": TABLE,
            "queryType": "table",
            "pluginVersion": PLUGIN_VERSION,
        },
    }


if __name__ == "__main__":
    write()
