"""An attack that has to be decoded before it reads as one."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class EncodedPayload(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose attack shows once up to three encodings are undone (A6)."""

    about: ClassVar[About] = About(
        title="Attack inside an encoding",
        detects="A message by the user with an attack in base64, base32, hex, URL or HTML encoding, "
        "escapes, binary, Morse code, rot13, or turned around, nested up to three deep; an order to decode "
        "and obey; a request cut into pieces that the model is to put together.",
        misses="Ciphers and encodings that no view undoes, keys told in the conversation, more than three "
        "layers. Encoded text without an attack in it is not told. In arguments and results of tools, "
        "encodings are undone for dangerous_command and indirect_injection.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0068", "AML.T0051.000"),
    )
    name: ClassVar[str] = "encoded_payload"
    says: ClassVar[str] = "hides an attack in an encoding"
