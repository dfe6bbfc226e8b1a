"""Tests that tell a value which is somebody's secret from a name, a reference, a place or an example."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections import Counter
from itertools import pairwise
from math import log2

_PLACEHOLDER = re.compile(
    r"(?:\*+|x+|\.+|<.*|\$[({]?.*|%.*|`.*|null|none|true|false|undefined|redacted|required|optional|string|example"
    r"|changeme|placeholder|your[_-].*|\[.*|.*\.\.\.?|.*\u2026)",
    re.IGNORECASE,
)
_TOLD = re.compile(  # words of somebody who shows what a key looks like
    r"example|placeholder|redacted|dummy|(?:your|some|insert|my|random|access|config|api)[_-]?(?:api|access|secret)?"
    r"[_-]?(?:key|token|secret|string)|(?:key|token|string)[_-]?(?:goes[_-]?)?here",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+")  # a member of something in a program
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)*[_-](?:KEY|TOKEN|SECRET|PASSWORD|PASS|PWD)")
_WORDS = re.compile(r"[a-z]+(?:[_-][a-z]+)+", re.IGNORECASE)
_NAMING = re.compile(
    r"password|passwd|secret|token|key|name|value|string|user|test|my|auth|config", re.IGNORECASE
)
_FILLING = re.compile(  # what people write where nothing is meant
    r"(?:my|your|the|a|new|old|some|any|test(?:ing|er)?|demo|sample|fake|mock|dummy|stub|foo|bar|baz|qux|example|default"
    r"|temp|tmp|invalid|wrong|bad|good|valid|local|dev|staging|super|very|top|strong|simple|plain|random|change|me|this"
    r"|password|passwd|passphrase|passw|pass|pwd|secret|token|key|keys|api|access|auth|bearer|basic|private|client"
    r"|credentials?|value|string|here|goes|insert|put|enter|replace|with|user|username|admin|root|todo|fixme|hello"
    r"|world|lorem|ipsum|blah|asdf|qwerty|letmein|welcome|hunter|not|is|no|for|id|app|service|x|[_.:@!/-])+[0-9]{0,4}[!.]?",
    re.IGNORECASE,
)
_PLACE = re.compile(  # a path, an address, a host or a file
    r"(?:[.~]{0,2}/|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]{1,20}://).*"
    r"|(?:[0-9a-z-]{1,63}\.){1,8}[a-z]{2,12}(?::[0-9]{1,5})?"
    r"|.*\.(?:json|pem|key|p12|pfx|jks|crt|cer|txt|ya?ml|toml|ini|conf|env|py|js|ts|go|java|html?|xml|properties|md)",
    re.IGNORECASE,
)
_FILLED_IN = re.compile(r"[$#]\{|\{\{|\}\}|\$\(|%\(|^\$[A-Za-z_]\w*|^%[A-Za-z_]+%$|^:[a-z_]+$|^<|>$")
_MASKED = ("xxxx", "**", "...", "____", "###", "\u2026", "%s", "%d")
_PRETENDED = ("fake", "sample", "dummy", "example", "notreal", "notsecret", "notasecret", "invalid")
_TEST = re.compile(r"(?<![a-z])test(?![a-z])")
_CALL = re.compile(r"[0-9A-Za-z_]\(")
_VERSION = re.compile(r"[A-Za-z]{0,8}[0-9]{1,4}(?:\.[0-9]{1,6}){1,6}(?:[._-][0-9A-Za-z]{1,14}){0,6}")
_DIGEST = re.compile(r"(?:sha(?:1|224|256|384|512)|md5|blake2[bs])[:=-].*", re.IGNORECASE)
_SLUG = re.compile(r"[A-Za-z]{0,24}[0-9]{0,14}(?:[._:/-][A-Za-z]{0,24}[0-9]{0,14}){1,12}")
_IDENTIFIER = re.compile(r"[A-Za-z]+(?:[_./:-][A-Za-z]+)*[_.-]?[0-9]{0,4}")
_BASE64 = re.compile(r"[0-9A-Za-z+/]{16,}")
_LETTERS = re.compile(r"[a-z]{2,}")
_PARTS = re.compile(r"[^0-9A-Za-z]")
_SEPARATED = re.compile(r"[-_.:/]")
_COMMON = (  # pairs of letters, as words of English and its neighbours have them
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me "
    "de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot "
    "il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai "
    "sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke fr oo av ag "
    "if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr cl du ga qu ue ff ba "
    "ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki "
    "rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl "
    "iz ok my gl aw ju oa sy sl ps jo lf nv je nk kn gs dy hy ze ks xt sw "
)
_PAIRS = frozenset(_COMMON.split())
LONGEST_FILLER = 64
ENOUGH = 128  # characters in which a run shows
WORDED, PAIRS = 0.7, 6  # share of such pairs from which on letters read like words, and of how many


def varied(text: str) -> bool:
    """A key that was drawn, and none that is written to show the form: no word that says so, no long run
    of one character or of the alphabet, and enough different characters."""
    begins = text[:ENOUGH]
    if _TOLD.search(text) or longest_run(begins) >= max(6, len(begins) // 8):
        return False
    return entropy(text) >= (2.9 if len(text) >= 20 else 2.0)


def random(text: str) -> bool:
    """Letters and digits mixed as no word mixes them."""
    return any(map(str.isdigit, text)) and entropy(text) >= 3.0 and not _TOLD.search(text)


def drawn(text: str) -> bool:
    """Random, and none that is written to show the form."""
    return random(text) and varied(text)


def opaque(text: str) -> bool:
    """A credential rather than a word after `Bearer`: digits or both cases among its letters."""
    mixed = any(map(str.isdigit, text)) or (any(map(str.isupper, text[1:])) and any(map(str.islower, text)))
    return mixed and entropy(text) >= 2.5 and not _TOLD.search(text)


def key_like(text: str) -> bool:
    """A drawn key without a form of its own: digits and letters mixed, and no path or version. Long ones may
    be base64."""
    plain = text.rstrip("=").replace("-", "").replace("_", "")
    if len(plain) >= 40 and entropy(plain) >= 4.5:
        plain = plain.replace("+", "").replace("/", "")
    mixed = any(map(str.isdigit, plain)) and any(map(str.isalpha, plain))
    return mixed and plain.isalnum() and entropy(plain) >= 3.0 and varied(text) and not _WORDS.match(text)


def assigned(text: str | None) -> bool:
    """A value that is meant: no placeholder, no plain word, no small number, no name of a variable."""
    if not text or _PLACEHOLDER.fullmatch(text) or text.isdecimal() and len(text) < 8:
        return False
    if (
        _REFERENCE.fullmatch(text)
        or _VARIABLE.fullmatch(text)
        or (_WORDS.fullmatch(text) and _NAMING.search(text))
    ):
        return False
    if len(text) >= 14 and not varied(text):
        return False
    return not text.isalpha() or entropy(text) >= 3.5 or not (text.islower() or text.istitle())


def chosen(text: str) -> bool:
    """A password in a sentence: letters mixed with something else."""
    return assigned(text) and any(map(str.isalnum, text)) and not text.rstrip(".!?").isalpha()


def password(text: str) -> bool:
    """A password that somebody means: not filled in later, no filler, no place."""
    return not (
        len(text) < 4
        or _FILLED_IN.search(text)
        or _PLACEHOLDER.fullmatch(text)
        or (len(text) <= LONGEST_FILLER and _FILLING.fullmatch(text))
        or _PLACE.fullmatch(text)
        or _REFERENCE.fullmatch(text)
        or _repeats(text)
        or len(set(text)) < 4
        or _runs(text[:ENOUGH])[1] > 0.8 * len(text)
        or shown(text)
        or pretended(text)
    )


def meant(text: str) -> bool:
    """A token that somebody means: a password, and no name, number of a version, digest or row of words."""
    return password(text) and not (
        _CALL.search(text)
        or _VERSION.fullmatch(text)
        or _DIGEST.fullmatch(text)
        or _SLUG.fullmatch(text)
        or (_IDENTIFIER.fullmatch(text) and _worded(text, few=True))
    )


def encoded_values(text: str) -> bool:
    """Lines of names and values, one of which is a drawn value or more in base64."""
    return any(opaque(line.partition(":")[2].strip(" \t\r\"'")) for line in text.splitlines())


def shown(text: str) -> bool:
    """Characters that stand for others in it: `xxxx`, `***`, `...`."""
    small = text.lower()
    return any(mask in small for mask in _MASKED)


def pretended(text: str) -> bool:
    """A word in it says that nothing is meant."""
    small = text[:ENOUGH].lower()
    return any(word in small for word in _PRETENDED) or ("test" in small and bool(_TEST.search(small)))


def key_material(text: str) -> bool:
    """A block of a private key that holds one: a line and more of base64, drawn."""
    body = max(_BASE64.findall(text.replace("\\n", " ")), key=len, default="")
    return len(body) >= 32 and entropy(body) >= 3.5


def signed(text: str) -> bool:
    """A token in JSON (RFC 7519) whose header says by which algorithm it was signed or encrypted."""
    header, *parts = text.replace("=", "").split(".")
    try:
        decoded = urlsafe_b64decode(header + "=" * (-len(header) % 4))
    except ValueError:
        return False
    return b'"alg"' in decoded and max(map(len, parts)) >= 16


def never(text: str) -> bool:
    """What is not told whatever it holds."""
    return False


def genuine(text: str) -> bool:
    """Drawn letters and no words, runs or groups again and again: in its longest part few pairs of neighbours
    are such as words have, and few characters follow one another."""
    longest = max(_PARTS.split(text), key=len)[:ENOUGH]
    return not (_worded(longest, few=False) or 2 * _runs(longest)[1] > len(longest) or _repeats(text))


def _worded(text: str, *, few: bool) -> bool:
    """Whether the letters read like words; `few`: what to say of too few letters."""
    runs = [run for run in _LETTERS.findall(text.lower()) if run.strip("abcdef")]  # no hexadecimal digits
    pairs = [run[at : at + 2] for run in runs for at in range(len(run) - 1)]
    if len(pairs) < PAIRS:
        return few
    return sum(pair in _PAIRS for pair in pairs) >= WORDED * len(pairs)


def entropy(text: str) -> float:
    """Bits for each character, by the frequencies within the text."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values()) if size else 0.0


def longest_run(text: str) -> int:
    """Of one character, or of characters that follow one another as in `abcdef` and `123456`."""
    return _runs(text)[0]


def _runs(text: str) -> tuple[int, int]:
    """The longest run of one character or of the alphabet, and characters in runs of three and more; of less
    than three nothing is said."""
    small = text.lower().encode("latin-1", "replace")
    if not any(
        0 <= two - one == three - two < 2
        for one, two, three in zip(small, small[1:], small[2:], strict=False)
    ):
        return 1, 0  # as in most texts
    longest = same = next_up = 1
    running = 0
    for before, after in pairwise(small):
        step = after - before
        same = same + 1 if step == 0 else 1
        next_up = next_up + 1 if step == 1 else 1
        run = max(same, next_up)
        running += 3 if run == 3 else run > 3
        longest = max(longest, run)
    return longest, running


def _repeats(text: str) -> bool:
    """Whether a group of three characters or more stands there three times, as in `1234-1234-1234`."""
    groups = Counter(group for group in _SEPARATED.split(text) if len(group) > 2)
    return bool(groups) and max(groups.values()) > 2
