"""A leaf format: JSON documents of one shape, told from all others by their fingerprint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ingest.depth import deeper
from ingest.lenient import Unreadable, loads
from tocsin.model import Decoded, Reject
from tocsin.settings import LimitSettings

Json = dict[str, Any]


class Leaf(ABC):
    """Reads documents of one format.

    Fingerprints exclude one another: at most one leaf fits a document, so the order in which leaves
    are asked decides nothing but speed.
    """

    name: ClassVar[str]  # in the configuration: `format = "..."`
    title: ClassVar[str]  # for people
    evidence: ClassVar[str]  # "recorded" from real producers, or written "from documentation only"
    # One of these keys is at the top of each of its documents; empty: not known, so it is asked last.
    marks: ClassVar[frozenset[str]] = frozenset()
    family: ClassVar[str] = ""  # formats of one family exclude one another by the way in which they are told

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self.limits = limits or LimitSettings()

    @classmethod
    @abstractmethod
    def fits(cls, document: Json) -> bool:
        """Whether a document is of this format: looks at a few keys and never raises."""

    @classmethod
    def kin(cls, document: Json) -> bool:
        """Whether it, or one of its family, fits."""
        return cls.fits(document)

    @abstractmethod
    def read(self, document: Any) -> Decoded:
        """What the document holds. May raise TypeError, ValueError, KeyError or AttributeError on
        wrong types inside it: that makes it an invalid record."""

    def decode(self, value: bytes) -> Decoded:
        """The same from bytes, where the configuration names the format."""
        try:
            document = loads(value)
        except Unreadable as error:
            return Decoded((error.reject(),))
        if not isinstance(document, dict) or not self.fits(document):
            return Decoded((Reject(reason="unrecognised", detail=f"no {self.title} document"),))
        return self.safely(document)

    def safely(self, document: Json) -> Decoded:
        """`read`, with wrong types inside the document as a reject."""
        if deeper(document, self.limits.depth):
            return Decoded((Reject(reason="too_deep", detail=f"nested deeper than {self.limits.depth}"),))
        try:
            return self.read(document)
        except RecursionError:  # what stood in a text of its own
            return Decoded((Reject(reason="too_deep", detail=f"{self.name}: nested too deep"),))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            detail = f"{self.name}: {type(error).__name__}"
            return Decoded((Reject(reason="invalid", detail=detail),))
