from __future__ import annotations

import re

import pytest

from detectors import BUILTIN
from tocsin.registry import DETECTORS, load
from tocsin.taxonomy import ATLAS_VERSION, atlas_version, name, owasp, tactics, techniques, unknown

RETIRED = ("AML.T0019", "AML.T0058", "AML.T0104")  # merged into AML.T0115 by content 2026.07


def test_the_data_is_of_the_version_that_the_code_names() -> None:
    assert atlas_version() == ATLAS_VERSION


@pytest.mark.parametrize("detector", BUILTIN)
def test_every_id_of_a_detector_is_known_and_its_owasp_ids_carry_a_year(detector: str) -> None:
    about = load(DETECTORS, detector).about
    assert about.owasp and about.atlas
    assert not unknown([*about.owasp, *about.atlas])
    assert all(re.fullmatch(r"(LLM|ASI|MCP)\d\d:20\d\d", identifier) for identifier in about.owasp)


def test_each_owasp_edition_has_ten_risks() -> None:
    editions = [identifier[:3] + identifier[5:] for identifier in owasp()]
    assert {edition: editions.count(edition) for edition in editions} == {
        "LLM:2025": 10,
        "LLM:2026": 10,
        "ASI:2026": 10,
        "MCP:2025": 10,
    }


def test_atlas_ids_are_well_formed_and_their_tactics_exist() -> None:
    assert len(tactics()) == 16
    for identifier, technique in techniques().items():
        assert re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", identifier)
        assert technique.tactics and set(technique.tactics) <= set(tactics())


def test_a_sub_technique_serves_the_tactics_of_its_parent_and_carries_its_name() -> None:
    for identifier, technique in techniques().items():
        if identifier.count(".") == 2:
            parent = techniques()[identifier.rpartition(".")[0]]
            assert technique.tactics == parent.tactics
            assert technique.name.startswith(parent.name + ": ")


def test_retired_ids_and_ids_without_a_year_are_unknown() -> None:
    assert unknown([*RETIRED, "LLM06", "LLM06:2026"]) == [*RETIRED, "LLM06"]


@pytest.mark.parametrize(
    ("identifier", "called"),
    [
        ("LLM06:2025", "Excessive Agency"),
        ("LLM06:2026", "Unbounded Consumption"),
        ("LLM08:2026", "Hidden Context Exposure"),
        ("ASI02:2026", "Tool Misuse and Exploitation"),
        ("AML.T0053", "AI Agent Tool Invocation"),
        ("AML.T0056", "Extract LLM System Prompt"),
        ("AML.T0024.002", "Exfiltration via AI Inference API: Extract AI Model"),
        ("AML.T0072", "Cyber Communication Channel"),
    ],
)
def test_names_are_those_of_the_current_editions(identifier: str, called: str) -> None:
    assert name(identifier) == called
