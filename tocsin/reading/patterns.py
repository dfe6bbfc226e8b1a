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
_LONG = "0-9A-Za-z_.-"  # a number that goes on is another one


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
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[0-9A-Za-z+/=\s\\:,.-]{0,16384}?-----END [A-Z0-9 ]{0,40}-----|[0-9A-Za-z+/=\s\\:,.-]{0,16384})",
        before="",
        after="",
    ),
    Pattern(
        "secret:jwt",  # signed with three parts, encrypted with five
        r"eyJ[0-9A-Za-z_-]{8,4096}\.(?:eyJ)?[0-9A-Za-z_-]{0,8192}(?:\.[0-9A-Za-z_-]{0,8192}){1,3}",
        after="",
    ),
    Pattern("secret:age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{50,80}", after=""),
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
    Pattern("secret:openai_session", r"sess-[0-9A-Za-z]{40,64}"),
    Pattern("secret:azure_openai_key", r"[0-9A-Za-z]{40,60}JQQJ9[0-9A-Za-z]{15,45}"),
    Pattern(
        "secret:bedrock_key",
        r"(?:ABSK[0-9A-Za-z+/]{100,300}={0,2}|bedrock-api-key-[0-9A-Za-z+/=]{40,2048})",
        after="",
    ),
    Pattern("secret:nvidia_key", r"nvapi-[0-9A-Za-z_-]{40,128}", after=""),
    Pattern(
        "secret:model_key",  # of providers of models, search and vector stores
        r"(?:fw_[0-9A-Za-z]{20,64}|csk-[0-9a-z]{40,64}|pcsk_[0-9A-Za-z_]{30,128}|jina_[0-9A-Za-z]{40,80}"
        r"|tvly-[0-9A-Za-z-]{20,64}|fc-[0-9a-f]{32}|tgp_v1_[0-9A-Za-z_-]{30,80}|pa-[0-9A-Za-z_-]{40,60}"
        r"|sk_[0-9a-f]{40,64}|wandb_v1_[0-9A-Za-z_-]{20,128}|phx_[0-9A-Za-z]{30,64}|bt-st-[0-9A-Za-z]{30,64})",
    ),
    Pattern("secret:stripe_key", r"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{10,256}"),
    Pattern("secret:stripe_webhook", r"whsec_[0-9A-Za-z+/=]{24,128}", after=""),
    Pattern("secret:aws_key", r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"),
    Pattern("secret:aws_key", r"(?:akia|asia)[0-9a-z]{16}", "random"),  # where names are lowered
    Pattern("secret:aws_session", r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[0-9A-Za-z+/]{50,4096}={0,2}", after=""),
    Pattern("secret:google_key", r"AIza[0-9A-Za-z_-]{20,35}", after=""),
    Pattern(
        "secret:google_oauth",
        r"(?:ya29\.[0-9A-Za-z_-]{20,1024}|1//0[0-9A-Za-z_-]{30,256}|AQ\.Ab8[0-9A-Za-z_-]{30,256})",
        after="",
    ),
    Pattern("secret:google_client", r"GOCSPX-[0-9A-Za-z_-]{20,64}", after=""),
    Pattern("secret:github_token", r"(?:gh[pousr]_[0-9A-Za-z]{20,255}|github_pat_[0-9A-Za-z_]{20,255})"),
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
    Pattern("secret:huggingface_token", r"hf_[0-9A-Za-z]{20,64}"),
    Pattern("secret:replicate_token", r"r8_[0-9A-Za-z]{20,64}"),
    Pattern("secret:groq_key", r"gsk_[0-9A-Za-z]{20,64}"),
    Pattern("secret:xai_key", r"xai-[0-9A-Za-z]{20,100}"),
    Pattern("secret:perplexity_key", r"pplx-[0-9A-Za-z]{20,64}"),
    Pattern("secret:langsmith_key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Pattern("secret:docker_token", r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{20,64}", after=""),
    Pattern("secret:npm_token", r"npm_[0-9A-Za-z]{20,64}"),
    Pattern("secret:pypi_token", r"pypi-[0-9A-Za-z_-]{20,256}", after=""),
    Pattern("secret:sendgrid_key", r"SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{32,64}", after=""),
    Pattern("secret:twilio_key", r"(?:SK|sk)[0-9a-f]{32}"),
    Pattern("secret:digitalocean_token", r"do[opr]_v1_[0-9a-f]{20,64}"),
    Pattern("secret:databricks_token", r"dapi[0-9a-f]{20,32}(?:-[0-9])?"),
    Pattern("secret:shopify_token", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    Pattern("secret:vault_token", r"hv[sbr]\.[0-9A-Za-z_-]{20,256}", after=""),
    Pattern("secret:linear_key", r"lin_api_[0-9A-Za-z]{32,64}"),
    Pattern("secret:notion_token", r"(?:ntn_|secret_)[0-9A-Za-z]{40,64}"),
    Pattern("secret:onepassword_token", r"ops_eyJ[0-9A-Za-z+/=_-]{50,4096}", after=""),
    Pattern(
        "secret:azure_secret",
        r"[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}",
        before="0-9A-Za-z_~.",
        after="",
    ),
    Pattern("secret:facebook_token", r"(?:EAA[0-9A-Za-z]{80,512}|[0-9]{13,17}\|[0-9A-Za-z_-]{27})", after=""),
    Pattern("secret:atlassian_token", r"(?:AT[AC]TT3|ATBB)[0-9A-Za-z_=+-]{24,512}", after=""),
    Pattern(
        "secret:discord_token", r"[MNO][0-9A-Za-z_-]{23,25}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,45}", after=""
    ),
    Pattern("secret:airtable_token", r"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}"),
    Pattern("secret:hubspot_token", r"pat-(?:na|eu)[0-9]-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    Pattern("secret:mailgun_key", r"key-[0-9a-f]{32}"),
    Pattern("secret:mailchimp_key", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    Pattern(
        "secret:service_token",  # of platforms on which programs are built, run and watched
        r"(?:rubygems_[0-9a-f]{48}|cio[0-9A-Za-z]{32}|oy2[0-9a-z]{43}|pul-[0-9a-f]{40}|dp\.(?:pt|st|sa|ct)\.[0-9A-Za-z._-]{40,80}"
        r"|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|NR(?:AK|II)-[0-9A-Za-z_-]{27,40}|sntry[su]_[0-9A-Za-z+/=_-]{40,400}"
        r"|dt0[cs]01\.[0-9A-Z]{24}\.[0-9A-Z]{64}|figd_[0-9A-Za-z_-]{38,64}|xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}"
        r"|sq0(?:atp|csp)-[0-9A-Za-z_-]{22,64}|tskey-[a-z]{2,10}-[0-9A-Za-z-]{20,80}|sq[ups]_[0-9a-f]{40}"
        r"|CCIPAT_[0-9A-Za-z_]{40,80}|bkua_[0-9a-f]{40}|sbp_[0-9a-f]{40}|sb_secret_[0-9A-Za-z_-]{20,64}"
        r"|napi_[0-9a-z]{40,80}|pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_=.-]{32,64}|nfp_[0-9A-Za-z]{36,64}"
        r"|HRKU-[0-9A-Za-z_-]{36,64}|fm[12]r?_[0-9A-Za-z+/=]{60,2048}|sgp_(?:[0-9A-Za-z]{1,16}_)?[0-9A-Fa-f]{40}"
        r"|rzp_live_[0-9A-Za-z]{14,32}|access-(?:sandbox|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|vercel_blob_rw_[0-9A-Za-z_]{30,80}|v(?:cp|ck|ci)_[0-9A-Za-z]{40,80}|phc_[0-9A-Za-z]{40,64}"
        r"|[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,80})",
        after="",
    ),
    Pattern("secret:grafana_token", r"gl(?:sa|c)_[0-9A-Za-z_+/=-]{32,256}", after=""),
    Pattern(
        "secret:azure_key",
        r"(?:AccountKey=|SharedAccessKey=|[?&]sig=)(?P<secret>[0-9A-Za-z+/%]{40,160}={0,2})",
        before="",
        after="",
    ),
    Pattern(
        "secret:login",
        r"(?:-u|--user|--proxy-user)[ =]{1,4}[\"']?[^\s\"':]{0,128}:[\"']?(?P<secret>[^\s\"']{3,256})",
        "assigned",
        before="0-9A-Za-z_-",
        after="",
    ),
    Pattern(
        "secret:authorization",
        r"(?:proxy-)?authorization[\\\"']{0,3}[ \t]{0,4}[:=][ \t]{0,4}[\\\"']{0,3}"
        r"(?:[0-9A-Za-z-]{1,32}[ \t]{1,4})?(?P<secret>[^\s\"'\\,;<>]{8,4096})",
        "assigned",
        before=r"\[",
        after="",
        ignore_case=True,
    ),
    Pattern(
        "secret:authorization",
        r"(?:bearer|basic|token)(?:[ \t]{1,4}|%20)(?P<secret>[0-9A-Za-z_.~+/-]{16,4096}={0,3})",
        "opaque",
        after="",
        ignore_case=True,
    ),
    Pattern(
        "secret:assignment",
        r"(?:password|passwd|passphrase|pwd|secret|token|credential|(?:api|access|secret|private|auth|account)[_-]?key)"
        r"[0-9A-Za-z_-]{0,20}(?:[\\\"']|&quot;|&#34;|%22){0,3}[ \t]{0,4}(?::=|=>|[:=]|%3A|%3D)[ \t]{0,4}"
        r"(?:[\\\"']|&quot;|&#34;|%22){0,3}"
        r"(?P<secret>[^\s\"'\\,;&<>(){}\[\]]{6,512})",
        "assigned",
        before=r"\[",  # not the word in a mark that stands there already
        after="",
        ignore_case=True,
    ),
    Pattern(
        "secret:said",
        r"(?:password|passwd|passphrase|passcode|passwort|kennwort|contraseña|mot de passe|pin code)"
        r"[ \t]{1,4}(?:is|was|ist|es|est)[ \t:]{1,4}[\"'`]?(?P<secret>[^\s\"'`,;<>(){}]{6,256})",
        "chosen",
        after="",
        ignore_case=True,
    ),
    # Personal data.
    Pattern(
        "email",
        r"[0-9A-Za-z._%+-]{1,64}(?:@|%40)(?:[0-9A-Za-z-]{1,63}\.){1,8}[A-Za-z]{2,24}",
        before="0-9A-Za-z._%+-",
        after="0-9A-Za-z",
    ),
    Pattern("iban", r"[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}", "iban"),
    Pattern(
        "iban",
        r"iban(?: is| number| no)?[ :=#\"'.]{1,4}(?P<secret>[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30})",
        "iban",
        ignore_case=True,
    ),
    Pattern("national_id", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "nir"),
    Pattern(
        "card",
        r"(?:[0-9]{12,19}|[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,3})?"
        r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})",
        "card",
        before="0-9A-Za-z_.-",
        after="0-9A-Za-z_-",
    ),
    Pattern("national_id", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "ssn", before="0-9A-Za-z_-", after="0-9A-Za-z_-"),
    Pattern("national_id", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "cpf"),
    Pattern("national_id", r"[0-9XYZ][0-9]{7}-?[A-HJ-NP-TV-Z]", "dni"),
    Pattern("national_id", r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", "codice_fiscale"),
    Pattern("national_id", r"[A-CEGHJ-PR-TW-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", "nino"),
    Pattern("national_id", r"[0-9]{3}[ -][0-9]{3}[ -][0-9]{4}", "nhs", before=_LONG, after="0-9A-Za-z_-"),
    Pattern(
        "national_id",
        r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        "steuer_id",
        before=_LONG,
        after="0-9A-Za-z_-",
    ),
    Pattern("national_id", r"[0-9]{11}", "pesel", before=_LONG, after="0-9A-Za-z_-"),
    Pattern(
        "national_id", r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", "personnummer", before=_LONG, after="0-9A-Za-z_-"
    ),
    Pattern(
        "national_id",
        r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]",
        "hetu",
        before=_LONG,
        after="0-9A-Za-z_-",
    ),
    Pattern("national_id", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", "rijksregister"),
    Pattern(
        "national_id", r"[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}", "aadhaar", before=_LONG, after="0-9A-Za-z_-"
    ),
    Pattern("national_id", r"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]"),  # India's tax number of a person
    Pattern(
        "national_id", r"[1-79][0-9]{2}[ -][0-9]{3}[ -][0-9]{3}", "sin", before=_LONG, after="0-9A-Za-z_-"
    ),
    Pattern("national_id", r"[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx]", "shenfenzheng", before=_LONG),
    Pattern("national_id", r"[0-9]{6}-[1-8][0-9]{6}", "rrn", before=_LONG, after="0-9A-Za-z_-"),
    Pattern("national_id", r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", "curp"),
    Pattern(
        "phone",
        r"(?:phone|mobile|cell|tel|telephone|telefon|fax|whatsapp|landline|(?:call|reach) me (?:at|on))"
        r"(?: (?:number|no|nr|is))?[\"']{0,2}[ .:#=\"']{1,4}"
        r"(?P<secret>\+?\(?[0-9][0-9 ().-]{5,20}[0-9](?:x[0-9]{1,6})?)",
        "dialled",
        ignore_case=True,
    ),
    Pattern(
        "phone",
        r"\(?0[1-9][0-9]{0,3}\)?(?:[ .-][0-9]{2,4}){2,4}",
        "national_phone",
        before="0-9A-Za-z_.+-",
        after="0-9A-Za-z_-",
    ),
    Pattern(
        "phone",
        r"\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,4}\)?){2,7}",
        "phone",
        before="0-9A-Za-z_+",
        after="0-9A-Za-z_",
    ),
    Pattern(
        "phone",
        r"(?:00?1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}"
        r"(?:x[0-9]{1,6})?",
        before="0-9A-Za-z_.+-",
        after="0-9A-Za-z_-",
    ),
    Pattern("ip", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "ip", before="0-9A-Za-z_.", after="0-9A-Za-z_"),
    Pattern(
        "ip", r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}", "ip", before="0-9A-Za-z_:", after="0-9A-Za-z_:"
    ),
)
