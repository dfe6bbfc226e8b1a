"""Databases of Hyperscan and tables, kept on disk between runs: loading takes milliseconds, making seconds.

A file is named by everything that it is made from, begins with the digest of the rest, and is read
only where nobody else may write: `$XDG_CACHE_HOME/tocsin`, or `~/.cache/tocsin`. Where none can be kept,
each start makes them.
"""

from __future__ import annotations

import io
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

LARGEST = 64 << 20  # bytes of a file
_QUICK = 4_000  # bytes of expressions that are compiled at once
MOST = 32  # files; the ones used longest ago go first
_DIGEST = 32  # bytes


def database(expressions: Sequence[bytes], flags: Sequence[int]) -> Any:
    """The database of these expressions, numbered in their order. Raises hyperscan's errors."""
    import hyperscan as hs

    folder = _folder() if sum(map(len, expressions)) >= _QUICK else None
    if folder is None:
        return _compiled(hs, expressions, flags)
    path = folder / f"{_name(version('hyperscan'), expressions, flags)}.hs"
    data = _read(path)
    if data is not None:
        with suppress(Exception):  # of another build of Hyperscan
            return hs.loadb(data, mode=hs.HS_MODE_BLOCK)
    made = _compiled(hs, expressions, flags)
    with suppress(OSError):
        _write(path, hs.dumpb(made))
    return made


def tables(texts: Sequence[str], modules: Iterable[str], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that these modules of `tocsin.reading` make from texts alone."""
    folder = _folder() if sum(map(len, texts)) >= _QUICK else None
    if folder is None:
        return make()
    path = folder / f"{_made_from(texts, modules)}.npz"
    data = _read(path)
    if data is not None:
        with suppress(Exception), np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    made, packed = make(), io.BytesIO()
    np.savez(packed, allow_pickle=False, **made)
    with suppress(OSError):
        _write(path, packed.getvalue())
    return made


def _made_from(texts: Sequence[str], modules: Iterable[str]) -> str:
    total = sha256(f"{sys.byteorder}\0{np.__version__}".encode())
    for module in modules:
        total.update(files("tocsin.reading").joinpath(f"{module}.py").read_bytes())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        total.update(f"\0{len(data)}\0".encode() + data)
    return total.hexdigest()


def _compiled(hs: Any, expressions: Sequence[bytes], flags: Sequence[int]) -> Any:
    made = hs.Database(mode=hs.HS_MODE_BLOCK)
    numbers = list(range(len(expressions)))
    made.compile(expressions=list(expressions), ids=numbers, elements=len(expressions), flags=list(flags))
    return made


def _folder() -> Path | None:
    """The folder, made if need be; none where others may write in it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home) / "tocsin"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except (OSError, RuntimeError):
        return None
    return folder if about.st_uid == os.getuid() and not about.st_mode & 0o022 else None


def _name(release: str, expressions: Sequence[bytes], flags: Sequence[int]) -> str:
    total = sha256(f"{release}\0{_processor()}".encode())
    for expression, flag in zip(expressions, flags, strict=True):
        total.update(f"\0{flag}\0{len(expression)}\0".encode() + expression)
    return total.hexdigest()


@cache
def _processor() -> str:
    """What the machine can do: a database is made for it."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line for line in file if line.startswith(("flags", "Features"))), platform.machine())
    return f"{platform.machine()} {platform.processor()}"


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST)
        path.touch()  # was used
    except OSError:
        return None
    kept = data[_DIGEST:]
    return kept if sha256(kept).digest() == data[:_DIGEST] else None


def _write(path: Path, data: bytes) -> None:
    """All at once, so that no other process reads a half."""
    others = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda each: each.stat().st_mtime)
    for old in others[: max(0, len(others) - MOST + 1)]:
        old.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(sha256(data).digest() + data)
    os.replace(name, path)
