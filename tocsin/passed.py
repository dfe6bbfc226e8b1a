"""Which calls have gone on: what arrives of one of them from now on tells nothing new."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tocsin.codec import Codec
from tocsin.report import Report, best
from tocsin.section import Section

PAGE = 128  # reports that are saved together
PASSED_SECONDS = 120.0  # for which a call is remembered, at least where there is room
COMPARED = 16  # reports under one name that a new one is compared with


class Page(msgspec.Struct, array_like=True, gc=False):
    """Some reports in the order in which they went on."""

    reports: list[Report] = []
    last: float = 0.0  # arrival time of the youngest


_CODEC: Codec[Page] = Codec(Page)


class Passed:
    """The last reports that went on, by their names. Old ones are forgotten a page at a time."""

    __slots__ = ("_by_name", "_page", "pages")

    def __init__(self, limit: int) -> None:
        # Pages are never touched again, so they stand in the order in which they were begun.
        self.pages: Section[Page] = Section(Page, _CODEC, limit=max(2, -(-limit // PAGE) + 1))
        self._by_name: dict[str, list[tuple[Report, str]]] = {}  # with their pages; follows from `pages`
        self._page = ""

    def restored(self) -> None:
        """Call once `pages` was filled from a checkpoint."""
        for key, entry in sorted(self.pages.items(), key=lambda item: (len(item[0]), item[0])):
            self._page = key
            for report in entry.value.reports:
                self._index(report, key)

    def add(self, report: Report, clock: float) -> None:
        """The call goes on."""
        entry = self.pages.get(self._page)
        if entry is None or len(entry.value.reports) >= PAGE:
            self._forget(clock)
            self._page = str(int(self._page or 0) + 1)
            entry = self.pages.touch(self._page, clock)
        entry.value.reports.append(report)
        entry.value.last = clock
        self.pages.change(entry)
        self._index(report, self._page)

    def find(self, report: Report) -> Report | None:
        """The report that went on earlier and tells of the same."""
        return best(report, self._known(report))

    def change(self, report: Report) -> None:
        """Note that a report that went on has taken up another one."""
        for name in report.names():
            for each, page in self._by_name.get(name, ()):
                if each is report and (entry := self.pages.get(page)):
                    self.pages.change(entry)
                    return

    def _known(self, report: Report) -> Iterator[Report]:
        for name in report.looks():
            if found := self._by_name.get(name):
                yield from [each for each, _ in reversed(found)]

    def _index(self, report: Report, page: str) -> None:
        for name in report.names():
            found = self._by_name.setdefault(name, [])
            found.append((report, page))
            if len(found) > COMPARED:
                del found[0]

    def _forget(self, clock: float) -> None:
        while len(self.pages):
            _, oldest = next(self.pages.items())
            if not self.pages.full and clock - oldest.value.last <= PASSED_SECONDS:
                return
            for report in self.pages.pop().value.reports:
                self._unindex(report)

    def _unindex(self, report: Report) -> None:
        for name in report.names():
            found = self._by_name.get(name)
            if found and found[0][0] is report:
                del found[0]
                if not found:
                    del self._by_name[name]
