"""What secrets and personal data look like: the one list of it, as data.

`expression` is a regular expression in the common subset of Python and Hyperscan: no look-around, no
back-references, bounded repeats, so that every search is linear. What must not touch a match on
either side stands in `before` and `after` as character classes, and `check` names a test in
`tocsin.reading.checks` that a match must pass (a checksum, a range, enough randomness). Where a group
named `secret` exists, only that part is replaced.
"""

from __future__ import annotations

from typing import NamedTuple

WORD = "0-9A-Za-z_"


class Pattern(NamedTuple):
    """One kind of thing to be replaced by `[mark]`."""

    mark: str
    expression: str
    check: str = ""
    before: str = WORD  # characters that must not stand directly in front
    after: str = WORD  # characters that must not follow
    ignore_case: bool = False


PATTERNS: tuple[Pattern, ...] = (
    # Secrets, the longest and most certain first.
    Pattern(
        "secret:private_key",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[0-9A-Za-z+/=\s\\:,.-]{0,16384}",
        before="",
        after="",
    ),
    Pattern(
        "secret:jwt", r"eyJ[0-9A-Za-z_-]{8,4096}\.eyJ[0-9A-Za-z_-]{8,8192}\.[0-9A-Za-z_-]{0,2048}", after=""
    ),
    Pattern(
        "secret:connection",
        r"[A-Za-z][0-9A-Za-z+.-]{1,30}://[^\s:/@\"'<>]{0,128}:(?P<secret>[^\s/@\"'<>]{1,256})@",
        after="",
    ),
    Pattern("secret:anthropic_key", r"sk-ant-[0-9A-Za-z_-]{20,256}", after=""),
    Pattern("secret:openrouter_key", r"sk-or-v1-[0-9a-f]{32,128}"),
    Pattern("secret:langfuse_key", r"sk-lf-[0-9a-f-]{36}", after="0-9A-Za-z-"),
    Pattern(
        "secret:openai_key", r"sk-(?:proj-|svcacct-|admin-|None-)?[0-9A-Za-z_-]{20,256}", "random", after=""
    ),
    Pattern("secret:stripe_key", r"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{10,256}"),
    Pattern("secret:stripe_webhook", r"whsec_[0-9A-Za-z+/=]{24,128}", after=""),
    Pattern("secret:aws_key", r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"),
    Pattern("secret:google_key", r"AIza[0-9A-Za-z_-]{35}", after="0-9A-Za-z_-"),
    Pattern("secret:google_oauth", r"ya29\.[0-9A-Za-z_-]{20,512}", after=""),
    Pattern("secret:google_client", r"GOCSPX-[0-9A-Za-z_-]{20,64}", after=""),
    Pattern("secret:github_token", r"(?:gh[pousr]_[0-9A-Za-z]{30,255}|github_pat_[0-9A-Za-z_]{20,255})"),
    Pattern(
        "secret:gitlab_token",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-[0-9A-Za-z_.-]{20,128}",
        after="",
    ),
    Pattern("secret:slack_token", r"xox[abeoprs]-[0-9A-Za-z-]{10,256}", after=""),
    Pattern("secret:slack_app_token", r"xapp-[0-9]-[0-9A-Za-z-]{10,256}", after=""),
    Pattern("secret:slack_webhook", r"hooks\.slack\.com/services/[0-9A-Za-z/]{20,128}", after=""),
    Pattern(
        "secret:discord_webhook",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{15,21}/[0-9A-Za-z_-]{30,128}",
        after="",
    ),
    Pattern("secret:telegram_token", r"[0-9]{8,10}:AA[0-9A-Za-z_-]{32,34}", after="0-9A-Za-z_-"),
    Pattern("secret:huggingface_token", r"hf_[0-9A-Za-z]{30,64}"),
    Pattern("secret:replicate_token", r"r8_[0-9A-Za-z]{30,64}"),
    Pattern("secret:groq_key", r"gsk_[0-9A-Za-z]{40,64}"),
    Pattern("secret:xai_key", r"xai-[0-9A-Za-z]{60,100}"),
    Pattern("secret:perplexity_key", r"pplx-[0-9A-Za-z]{40,64}"),
    Pattern("secret:langsmith_key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Pattern("secret:npm_token", r"npm_[0-9A-Za-z]{36}"),
    Pattern("secret:pypi_token", r"pypi-[0-9A-Za-z_-]{50,256}", after=""),
    Pattern("secret:sendgrid_key", r"SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{32,64}", after=""),
    Pattern("secret:twilio_key", r"SK[0-9a-f]{32}"),
    Pattern("secret:digitalocean_token", r"do[opr]_v1_[0-9a-f]{64}"),
    Pattern("secret:databricks_token", r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    Pattern("secret:shopify_token", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    Pattern("secret:vault_token", r"hv[sbr]\.[0-9A-Za-z_-]{20,256}", after=""),
    Pattern("secret:linear_key", r"lin_api_[0-9A-Za-z]{32,64}"),
    Pattern("secret:notion_token", r"(?:ntn_|secret_)[0-9A-Za-z]{40,64}"),
    Pattern("secret:grafana_token", r"gl(?:sa|c)_[0-9A-Za-z_+/=-]{32,256}", after=""),
    Pattern(
        "secret:azure_key",
        r"(?:AccountKey|SharedAccessKey)=(?P<secret>[0-9A-Za-z+/]{40,128}={0,2})",
        after="",
    ),
    Pattern(
        "secret:authorization",
        r"(?:bearer|basic|token|authorization:)[ \t]{1,4}(?P<secret>[0-9A-Za-z_.~+/-]{16,4096}={0,3})",
        "opaque",
        after="",
        ignore_case=True,
    ),
    Pattern(
        "secret:assignment",
        r"(?:password|passwd|passphrase|pwd|secret|token|credential|(?:api|access|secret|private|auth|account)[_-]?key)"
        r"[0-9A-Za-z_-]{0,20}[\\\"']{0,3}[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}[\\\"']{0,3}"
        r"(?P<secret>[^\s\"'\\,;&<>(){}\[\]]{6,512})",
        "assigned",
        before=r"\[",  # not the word in a mark that stands there already
        after="",
        ignore_case=True,
    ),
    # Personal data.
    Pattern(
        "email",
        r"[0-9A-Za-z._%+-]{1,64}@(?:[0-9A-Za-z-]{1,63}\.){1,8}[A-Za-z]{2,24}",
        before="0-9A-Za-z._%+-",
        after="0-9A-Za-z",
    ),
    Pattern("iban", r"[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}", "iban"),
    Pattern("national_id", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "nir"),
    Pattern("card", r"[0-9](?:[ -]?[0-9]){12,18}", "card", before="0-9A-Za-z_.-", after="0-9A-Za-z_-"),
    Pattern("national_id", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "ssn", before="0-9A-Za-z_-", after="0-9A-Za-z_-"),
    Pattern("national_id", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "cpf"),
    Pattern("national_id", r"[0-9XYZ][0-9]{7}-?[A-HJ-NP-TV-Z]", "dni"),
    Pattern("national_id", r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", "codice_fiscale"),
    Pattern(
        "phone",
        r"\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,4}\)?){2,7}",
        "phone",
        before="0-9A-Za-z_+",
        after="0-9A-Za-z_",
    ),
    Pattern(
        "phone",
        r"\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}",
        before="0-9A-Za-z_.+-",
        after="0-9A-Za-z_.-",
    ),
    Pattern("ip", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "ip", before="0-9A-Za-z_.", after="0-9A-Za-z_"),
    Pattern(
        "ip", r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}", "ip", before="0-9A-Za-z_:", after="0-9A-Za-z_:"
    ),
)
