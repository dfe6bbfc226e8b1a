"""Secrets that the words around them tell: assignments, headers, command lines, addresses, sentences."""

from __future__ import annotations

from tocsin.reading.keys import PROVIDERS
from tocsin.reading.pattern import Pattern

_QUOTES = r"(?:[\\\"'`]|&quot;|&#34;|%22){0,3}"
_IS = rf"{_QUOTES}\]?[ \t]{{0,4}}(?::=|=>|\?=|\|\|[:=]?|={{2,3}}|[:=]|%3A|%3D)[ \t]{{0,4}}{_QUOTES}"
_PASSED = r"[\\\"']{1,3}[ \t]{0,2},[ \t]{0,2}[\\\"']{1,3}"  # set("password", "...")
_GIVEN = rf"(?:{_IS}|{_PASSED}|>|\([ \t]{{0,2}}[\\\"'`]{{1,3}})"  # also <password>..., setPassword("...")
_ATTRIBUTE = rf"{_QUOTES}[ \t]{{1,4}}value{_IS}"  # key="password" value="..."
_PASSWORD = "(?:password|passwd|passphrase|pwd)"
_TOKEN = "(?:secret|token|credential|creds|(?:api|access|secret|private|auth|account)[ _-]?key)"
_ABOUT = (  # what a name ends with that tells of a secret and holds none
    r"[0-9A-Za-z_-]{0,20}?(?:ids?|names?|files?|path|ur[il]|type|len|length|size|count|limit|ttl|policy|version"
    r"|header|field|param|endpoint|location|provider|class|format|prefix|pattern|rule|hint|label|arn"
    r"|checksum|fingerprint|expiry|expires(?:_?in|_?at)?|issuer|enabled|required)"
)
_KEYS = (  # of what a key is one to something, and none of a table or a map
    r"(?:encrypt(?:ion)?|decrypt(?:ion)?|sign(?:ing|ature)?|master|session|service|admin|app(?:lication)?"
    r"|client|consumer|shared|licen[sc]e|hmac|crypto|cipher|aes|deploy|webhook|subscription|function|host|shop"
    r"|site|server|integration|instrumentation|sdk|rest|user|merchant)[_-]?key"
)
_PASSING = (  # tokens of a page or a list, which open nothing
    r"(?:csrf|xsrf|authenticity|request_?verification|anti_?forgery|page|next|continuation|cursor|sync)"
    r"[_-]?token[0-9A-Za-z_-]{0,20}?"
)
_VALUES = (  # lines of names and values
    r"(?P<secret>(?:[ \t]+(?:#[^\n]*|[\"']?[0-9A-Za-z_.-]+[\"']?:[ \t]*(?:[|>]-?\s+)?[\"']?"
    r"[0-9A-Za-z+/=_-]{8,}[\"']?)\r?\n?)+)"
)
_VALUE = r"(?P<secret>[^\s\"'\\,;&<>(){}\[\]`]{6,512})"

WORDED: tuple[Pattern, ...] = (
    Pattern(
        "secret:login",
        r"(?:(?:-u|--user|--proxy-user)[ =]{1,4}[\\\"']{0,3}|-u[\\\"']{1,3})[^\s\"':<]{0,128}[\"']?:"
        r"[\\\"']{0,3}(?P<secret>[^\s\"'\\>]{3,256})",
        "assigned",
        before="0-9A-Za-z_-",
        after="",
        doubt="password",
    ),
    Pattern(
        "secret:login",  # a key as the name, and no password
        r"(?:-u|--user)[ =]{1,4}[\"']?(?P<secret>[^\s\"':<]{12,128}):(?:[\"']|\s|$)",
        "opaque",
        before="0-9A-Za-z_-",
        after="",
        doubt="password",
    ),
    Pattern(
        "secret:login",  # glued to the option of a client, or within an address of Oracle
        r"(?:(?:mysql[a-z]{0,5}|mariadb|sshpass|mongo|redis-cli)[ \t](?:[^\n|;&]{0,80}?[ \t])?-[pa][ \t]?"
        r"[\"']?|jdbc:oracle:thin:[^/\s\"']{1,64}/)(?P<secret>[^\s\"'@<>-][^\s\"'@<>]{3,256})",
        "assigned",
        after="",
        doubt="password",
    ),
    Pattern(
        "secret:login",  # as netrc has them, and clients of databases
        r"(?:login[ \t]{1,4}[^\s]{1,128}\s{1,4}password[ \t]{1,4}"
        r"|(?:identified[ \t]{1,4}by|password)[ \t]{1,4}')"
        r"(?P<secret>[^\s\"'<>]{4,256})",
        "assigned",
        after="",
        ignore_case=True,
        doubt="password",
    ),
    Pattern(
        "secret:authorization",
        r"(?:proxy-)?authorization[\\\"']{0,3}[ \t]{0,4}[:=,][ \t]{0,4}[\\\"'`]{0,3}"
        r"(?:[0-9A-Za-z-]{1,32}[ \t]{1,4})?(?P<secret>[^\s\"'`\\,;<>]{8,4096})",
        "assigned",
        before=r"\[",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    Pattern(
        "secret:authorization",
        r"(?:bearer|basic|token)(?:[ \t]{1,4}|%20)(?P<secret>[0-9A-Za-z_.~+/-]{16,4096}={0,3})",
        "opaque",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    *(
        Pattern(
            "secret:assignment",
            rf"(?:{nothing}|{keyword}[0-9A-Za-z_-]{{0,20}}(?:{_GIVEN}|{_ATTRIBUTE}){_VALUE})",
            "assigned",
            before=r"\[",  # not the word in a mark that stands there already
            after="",
            ignore_case=True,
            doubt=doubt,
        )
        for keyword, nothing, doubt in (
            (_PASSWORD, f"{_PASSWORD}{_ABOUT}{_GIVEN}", "password"),
            (_TOKEN, f"{_TOKEN}{_ABOUT}{_GIVEN}|{_PASSING}(?:{_GIVEN}|{_ATTRIBUTE})", "meant"),
        )
    ),
    Pattern(
        "secret:assignment",  # of an option, or the short name of a password
        rf"(?:--[a-z-]{{0,24}}(?:password|passwd|secret|token|key)[ \t]{{1,4}}[\"']?"
        rf"|[a-z]{{2,24}}_(?:pass|psw|pw){_IS}){_VALUE}",
        "assigned",
        before=r"\[0-9A-Za-z",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    Pattern(
        "secret:assignment",  # a header on a command line
        r"(?:-H|--header)[ =]{1,2}[\"'](?:x-)?[a-z-]{0,24}(?:key|token|auth|secret|session)[a-z-]{0,12}:"
        r"[ \t]{0,2}(?P<secret>[^\s\"'`\\,;<>]{8,4096})",
        "assigned",
        before="0-9A-Za-z_-",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    Pattern(
        "secret:assignment",
        rf"{_KEYS}{_GIVEN}(?P<secret>[0-9A-Za-z_=+/.~-]{{16,256}})",
        "key_like",
        before=r"\[",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    *(
        Pattern(
            "secret:assignment",
            rf"(?:{'|'.join(names)})[0-9A-Za-z_. \t-]{{0,20}}{_GIVEN}"
            r"(?P<secret>[0-9A-Za-z_=+/.~-]{14,128})",
            "key_like",
            before=r"\[A-Za-z",  # no part of another word
            after="",
            ignore_case=True,
            doubt="meant",
        )
        for names in PROVIDERS
    ),
    Pattern(
        "secret:assignment",  # credentials of a source of packages, as Bundler names them
        r"BUNDLE_[0-9A-Z_]{3,60}__[A-Z]{2,6}[:= ]{1,3}[\\\"']{0,3}(?P<secret>[^\s\"'\\;]{8,256})",
        "assigned",
        after="",
        doubt="password",
    ),
    Pattern(
        "secret:assignment",  # a session's cookie
        r"(?:_session|sessionid|sessid|connect\.sid|auth_?cookie)=(?P<secret>[0-9A-Za-z%._-]{20,512})",
        "key_like",
        before="",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
    Pattern(
        "secret:assignment",  # the values of a Secret of Kubernetes
        rf"kind[\"']?:[ \t]{{0,4}}[\"']?Secret[\"']?\s[^{{}}]{{0,240}}?data:[ \t]{{0,4}}\r?\n{_VALUES}",
        "encoded_values",
        after="",
    ),
    Pattern(
        "secret:assignment",  # the same as kubectl writes it, in alphabetical order
        rf"data:[ \t]{{0,4}}\r?\n{_VALUES}kind[\"']?:[ \t]{{0,4}}[\"']?Secret[\"']?\s",
        "encoded_values",
        after="",
    ),
    Pattern(
        "secret:said",
        r"(?:password|passwd|passphrase|passcode|passwort|kennwort|contraseña|mot de passe|pin code)"
        r"[ \t]{1,4}(?:is|was|ist|es|est)[ \t:]{1,4}[\"'`]?(?P<secret>[^\s\"'`,;<>(){}]{6,256})",
        "chosen",
        after="",
        ignore_case=True,
        doubt="password",
    ),
    Pattern(
        "secret:said",
        r"(?:key|token|secret)[ \t]{1,4}(?:is|was|ist|es|est)[ \t:]{1,4}[\"'`]?"
        r"(?P<secret>[0-9A-Za-z_=+/.~-]{16,256})",
        "key_like",
        after="",
        ignore_case=True,
        doubt="meant",
    ),
)
