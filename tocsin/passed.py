"""Which calls have gone on: what arrives of one of them from now on tells nothing new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tocsin.codec import Codec
from tocsin.report import Report, best, near
from tocsin.section import Entry, Section

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

    __slots__ = ("_by_name", "_entry", "_names", "_page", "pages")

    def __init__(self, limit: int) -> None:
        # Pages are never touched again, so they stand in the order in which they were begun.
        self.pages: Section[Page] = Section(Page, _CODEC, limit=max(2, -(-limit // PAGE) + 1))
        self._page = 0
        self._entry: Entry[Page] | None = None  # of that page
        self._by_name: dict[str, Report | list[Report]] = {}  # this and the next follow from `pages`
        self._names: dict[int, list[tuple[str, ...]]] = {}  # page -> the names of each of its reports

    def restored(self) -> None:
        """Call once `pages` was filled from a checkpoint."""
        for number, entry in sorted((int(key), entry) for key, entry in self.pages.items()):
            self._page, self._entry = number, entry
            self._names[number] = [tuple(report.keys()[0]) for report in entry.value.reports]
            for report, names in zip(entry.value.reports, self._names[number], strict=True):
                report.page = number  # pages of several logs may have become one
                self._index(report, names)

    def add(self, report: Report, names: list[str], clock: float) -> None:
        """The call goes on."""
        entry = self._entry
        if entry is None or len(entry.value.reports) >= PAGE:
            self._forget(clock)
            self._page += 1
            self._names[self._page] = []
            entry = self._entry = self.pages.touch(str(self._page), clock)
        report.page = self._page
        page = entry.value
        page.reports.append(report)
        page.last = clock
        if not entry.changed:
            self.pages.change(entry)
        self._names[self._page].append(tuple(names))
        self._index(report, names)

    def find(self, report: Report, looks: Sequence[str]) -> Report | None:
        """The report that went on earlier and tells of the same."""
        if self._by_name.keys().isdisjoint(looks):
            return None
        return best(report, self._known(report, looks))

    def only(self, name: str) -> Report | None:
        """What alone went on under a name."""
        found = self._by_name.get(name)
        return found if isinstance(found, Report) else None

    def change(self, report: Report) -> None:
        """Note that a report that went on has taken up another one."""
        entry = self.pages.get(str(report.page))
        if entry:
            self.pages.change(entry)

    def _known(self, report: Report, looks: Sequence[str]) -> Iterator[Report]:
        """What went on under these names, the newest first; without executions that surely are others."""
        by_name = self._by_name
        for name in [name for name in looks if name in by_name]:
            under = by_name[name]
            if isinstance(under, Report):
                yield under
            else:
                some = under[::-1]
                yield from near(report, some) if report.kind == "tool" and name != report.join else some

    def _index(self, report: Report, names: Sequence[str]) -> None:
        by_name = self._by_name
        for name in names:
            if name not in by_name:
                by_name[name] = report
            else:
                self._add_namesake(name, by_name[name], report)

    def _add_namesake(self, name: str, found: Report | list[Report], report: Report) -> None:
        if isinstance(found, list):
            found.append(report)
            if len(found) > COMPARED:
                del found[0]
        else:
            self._by_name[name] = [found, report]

    def _forget(self, clock: float) -> None:
        while len(self.pages):
            key, oldest = next(self.pages.items())
            if not self.pages.full and clock - oldest.value.last <= PASSED_SECONDS:
                return
            named = self._names.pop(int(key))
            for report, names in zip(self.pages.pop().value.reports, named, strict=True):
                self._unindex(report, names)

    def _unindex(self, report: Report, names: Sequence[str]) -> None:
        by_name = self._by_name
        for name in names:
            found = by_name.get(name)
            if found is report:
                del by_name[name]
            elif isinstance(found, list) and found[0] is report:
                del found[0]
                if len(found) == 1:
                    by_name[name] = found[0]
