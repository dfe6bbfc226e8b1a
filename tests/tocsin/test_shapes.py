"""Unknown records are counted by shape: those that keep coming by name, a flood of invented ones together."""

from __future__ import annotations

from tocsin import figures
from tocsin.metrics import Metrics
from tocsin.model import Batch, Reject
from tocsin.shapes import NAMED, OFTEN, OTHER, WAITING, Shapes

NAME = "tocsin_unrecognised_total"


def reject(shape: str) -> Reject:
    return Reject(reason="unrecognised", shape=shape)


def test_a_shape_is_counted_by_name() -> None:
    metrics = Metrics()
    rejects = [reject("a,b"), reject("a,b"), reject("c"), Reject(reason="invalid")]
    figures.released(metrics, Batch(rejects=rejects))
    assert metrics.value(NAME, shape="a,b") == 2 and metrics.value(NAME, shape="c") == 1
    assert metrics.total(NAME) == 3


def test_a_flood_of_shapes_leaves_room_for_those_that_keep_coming() -> None:
    metrics = Metrics()
    figures.released(metrics, Batch(rejects=[reject(f"invented{number}") for number in range(5000)]))
    for _ in range(3):
        figures.released(metrics, Batch(rejects=[reject("mine")] * (OFTEN // 2)))
    assert metrics.value(NAME, shape="mine") == OFTEN // 2 * 2
    assert metrics.value(NAME, shape=OTHER) == 5000 - NAMED // 2 + OFTEN // 2


def test_names_and_memory_are_bounded() -> None:
    shapes = Shapes()
    names = {shapes.label(f"shape{number}", OFTEN) for number in range(10 * NAMED)}
    assert len(names) == NAMED + 1 and OTHER in names
    for number in range(3 * WAITING):
        assert shapes.label(f"invented{number}") == OTHER
    assert len(shapes._waiting) == WAITING
