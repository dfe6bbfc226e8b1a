"""Which shapes of unknown records are counted by name: few, however many are invented."""

from __future__ import annotations

NAMED = 50  # shapes that have a series of their own
OFTEN = 10  # once half of them are taken, a shape must have come so often
WAITING = 1000  # shapes that are remembered until they did

OTHER = "other"


class Shapes:
    """The first shapes get a name at once, later ones when they keep coming; one thread asks."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._waiting: dict[str, int] = {}  # the one that came last is the last

    def label(self, shape: str, times: int = 1) -> str:
        """What a shape that came so many times is counted under."""
        if shape in self._named:
            return shape
        seen = self._waiting.pop(shape, 0) + times
        enough = 1 if len(self._named) < NAMED // 2 else OFTEN
        if seen >= enough and len(self._named) < NAMED:
            self._named.add(shape)
            return shape
        self._waiting[shape] = seen
        if len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
        return OTHER
