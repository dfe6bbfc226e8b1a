"""One database for all questions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from parts.stored_fleet import Stored, stored_fleet


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with stored_fleet(tmp_path_factory.mktemp("dashboards")) as stored:
        yield stored
