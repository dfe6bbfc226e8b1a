"""Figures of the redaction do not fall behind what docs/privacy.md says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench import redaction
from tocsin.reading.redaction import Redactor

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not redaction.DATA.exists(), reason="../shared/data is not here"),
]


def test_secrets_and_personal_data_that_were_never_looked_at_are_found() -> None:
    redactor = Redactor()
    for part in redaction.PARTS:
        figures = redaction.secrets(redactor, part)
        assert figures["found"] >= 0.92 and figures["others_found"] <= 0.1
    found = redaction.personal(redactor, "unseen")
    assert all(
        found[kind]["recall"] >= 0.95 for kind in ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "US_SSN")
    )
    assert found["PHONE_NUMBER"]["recall"] >= 0.5


def test_ordinary_questions_are_left_alone() -> None:
    assert redaction._changed(Redactor(), redaction.rows("clinc150"))["changed"] == 0
