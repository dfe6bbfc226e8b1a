"""What a model call cost by a table that the operator gives, where its source does not say.

No price is known to Tocsin itself: what is not in the table has no cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from tocsin.model import Event

TOKENS = 1_000_000  # that a price is given for
REMEMBERED = 1024  # names of models
_Usd = Annotated[float, Meta(ge=0)]


class PriceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the tokens of some models cost: US dollars a million tokens."""

    models: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1, description="names of models; * stands for anything, and the longest name decides"
        ),
    ]
    input: Annotated[_Usd, Meta(description="for tokens of the request")]
    output: Annotated[_Usd, Meta(description="for tokens of the answer; reasoning is part of it")] = 0.0
    cache_read: Annotated[
        _Usd | None, Meta(description="for tokens of the request that were cached; none: as the others")
    ] = None
    cache_write: Annotated[
        _Usd | None, Meta(description="for tokens that were written to the cache; none: as the others")
    ] = None


class _Pattern(NamedTuple):
    """A name with stars, in its pieces."""

    pieces: tuple[str, ...]
    price: PriceSettings

    def fits(self, name: str) -> bool:
        """Whether the pieces stand in the name in this order. Linear: names are what others wrote."""
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return name == first
        if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
            return False
        at, end = len(first), len(name) - len(last)
        for piece in self.pieces[1:-1]:
            at = name.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


class Prices:
    """The table, ready to be asked. What a call costs follows from the call alone."""

    def __init__(self, table: Mapping[str, PriceSettings]) -> None:
        patterns = (_Pattern(tuple(name.lower().split("*")), p) for p in table.values() for name in p.models)
        self._patterns = sorted(patterns, key=lambda each: (-sum(map(len, each.pieces)), each.pieces))
        self._known: dict[str, PriceSettings | None] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def apply(self, event: Event) -> None:
        """Sets the cost of a model call that has none and whose tokens are known."""
        if event.kind != "llm" or event.cost_usd is not None or event.input_tokens is None:
            return
        if event.output_tokens is None and event.operation != "embeddings":
            return
        price = next((found for name in _names(event) if (found := self._price(name))), None)
        if price is not None:
            force_setattr(event, "cost_usd", _cost(event, price))
            force_setattr(event, "cost_source", "priced")

    def _price(self, name: str) -> PriceSettings | None:
        if name not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[name] = next((each.price for each in self._patterns if each.fits(name)), None)
        return self._known[name]


def _names(event: Event) -> Iterable[str]:
    """The model that answered before the one that was asked for, each without its path last."""
    for name in (event.response_model.lower(), event.model.lower()):
        if name:
            yield name
            if "/" in name:
                yield name.rpartition("/")[2]


def _cost(event: Event, price: PriceSettings) -> float:
    """In US dollars. Input tokens include those that were cached."""
    read, written = event.cache_read_tokens or 0, event.cache_write_tokens or 0
    plain = max((event.input_tokens or 0) - read - written, 0)
    total = (
        plain * price.input
        + read * (price.input if price.cache_read is None else price.cache_read)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + (event.output_tokens or 0) * price.output
    )
    return round(total / TOKENS, 12)
