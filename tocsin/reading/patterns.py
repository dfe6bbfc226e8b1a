"""What secrets and personal data look like: the one list of it, as data.

`expression` is a regular expression in the common subset of Python and Hyperscan: no look-around, no
back-references, bounded repeats, so that every search is linear. What must not touch a match on
either side stands in `before` and `after` as character classes, and `check` names a test in
`tocsin.reading.checks` that a match must pass (a checksum, a range, enough randomness). Where a group
named `secret` exists, only that part is replaced. What fails `doubt` is replaced and told to nobody: privacy
does with a suspicion, an analyst does not.
"""

from __future__ import annotations

from tocsin.reading.keys import GOOGLE_KEY, MODEL_KEYS, PUBLISHED, SERVICE_TOKENS
from tocsin.reading.pattern import Pattern
from tocsin.reading.worded import WORDED

_LONG = "0-9A-Za-z_.-"  # a number that goes on is another one
_HEX = "[0-9A-Fa-f]"
_NAMED = r"(?:[Kk]ey|KEY|[Tt]oken|TOKEN|[Ss]ecret|SECRET|[Cc]redential|[Gg]emini|GEMINI)[^\n]{0,32}?"

PATTERNS: tuple[Pattern, ...] = (
    # Secrets, the longest and most certain first.
    Pattern(
        "secret:private_key",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[0-9A-Za-z+/=\s\\:,.-]{0,16384}?-----END [A-Z0-9 ]{0,40}-----|[0-9A-Za-z+/=\s\\:,.-]{0,16384})",
        before="",
        after="",
        doubt="key_material",
    ),
    Pattern(
        "secret:jwt",  # signed with three parts, encrypted with five; JSON may begin with space
        r"e(?:yJ|yA|wo|w0)[0-9A-Za-z_-]{8,4096}={0,2}\.(?:eyJ)?[0-9A-Za-z_-]{0,8192}(?:\.[0-9A-Za-z_-]{0,8192}){1,3}",
        after="",
        doubt="signed",
    ),
    Pattern("secret:jwt", r"ZXlK[0-9A-Za-z+/]{40,8192}={0,2}", "random", after=""),  # once more in base64
    Pattern(
        "secret:age_key",
        r"AGE-SECRET-KEY-1[0-9A-Z]{50,80}",
        "varied",
        after="",
        exact="AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}",
    ),
    Pattern(
        "secret:connection",
        r"[A-Za-z][0-9A-Za-z+.-]{1,30}://[^\s:/@\"'<>]{0,128}:(?P<secret>[^\s/@\"'<>]{1,256})@",
        after="",
        doubt="password",
    ),
    Pattern("secret:anthropic_key", r"sk-ant-[a-z]{3,5}[0-9]{2}-[0-9A-Za-z_-]{80,100}AA"),  # its exact form
    Pattern("secret:anthropic_key", r"sk-ant-[0-9A-Za-z_-]{20,256}", "varied", after=""),
    Pattern("secret:openrouter_key", r"sk-or-v1-[0-9a-f]{32,128}", "varied"),
    Pattern("secret:langfuse_key", r"sk-lf-[0-9a-f-]{36}", "varied", after="0-9A-Za-z-"),
    Pattern(
        "secret:openai_key", r"sk-(?:proj-|svcacct-|admin-|None-)?[0-9A-Za-z_-]{20,256}", "drawn", after=""
    ),
    Pattern("secret:openai_session", r"sess-[0-9A-Za-z]{40,64}", "varied"),
    Pattern("secret:azure_openai_key", r"[0-9A-Za-z]{40,60}JQQJ9[0-9A-Za-z]{15,45}", "varied"),
    Pattern(
        "secret:bedrock_key",
        r"(?:ABSK[0-9A-Za-z+/]{100,300}={0,2}|bedrock-api-key-[0-9A-Za-z+/=]{40,2048})",
        "varied",
        after="",
    ),
    Pattern("secret:nvidia_key", r"nvapi-[0-9A-Za-z_-]{40,128}", "varied", after=""),
    Pattern(
        "secret:model_key",  # of providers of models, search and vector stores
        f"(?:{'|'.join(MODEL_KEYS)})",
        "varied",
    ),
    Pattern("secret:stripe_key", r"(?:sk|rk)_(?:live|test|prod)_[0-9A-Za-z]{10,256}", "varied"),
    Pattern("secret:stripe_webhook", r"whsec_[0-9A-Za-z+/=]{24,128}", "varied", after=""),
    Pattern("secret:aws_key", r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}", "varied"),
    Pattern(
        "secret:aws_key", r"(?:akia|asia)[0-9a-z]{16}", "random", doubt="never"
    ),  # where names are lowered
    Pattern(
        "secret:aws_session", r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[0-9A-Za-z+/]{50,4096}={0,2}", "varied", after=""
    ),
    # Keys that programs show everybody: told only where something calls them a key.
    Pattern(
        "secret:google_key",
        rf"{_NAMED}(?P<secret>{GOOGLE_KEY})",
        "varied",
        before="",
        after="",
        exact=".{39}",
    ),
    Pattern("secret:google_key", GOOGLE_KEY, "varied", after="", doubt="never"),
    Pattern(
        "secret:published_key", rf"{_NAMED}(?P<secret>{'|'.join(PUBLISHED)})", "varied", before="", after=""
    ),
    Pattern("secret:published_key", f"(?:{'|'.join(PUBLISHED)})", "varied", after="", doubt="never"),
    Pattern(
        "secret:google_oauth",
        r"(?:ya29\.[0-9A-Za-z_-]{20,1024}|1//0[0-9A-Za-z_-]{30,256}|AQ\.Ab8[0-9A-Za-z_-]{30,256})",
        "varied",
        after="",
    ),
    Pattern(
        "secret:google_client",
        r"GOCSPX-[0-9A-Za-z_-]{20,64}",
        "varied",
        after="",
        exact=r"GOCSPX-[0-9A-Za-z_-]{28}",
    ),
    Pattern(
        "secret:github_token",
        r"(?:gh[pousr]_[0-9A-Za-z]{20,255}|github_pat_[0-9A-Za-z_]{20,255})",
        "varied",
        exact=r"gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
    ),
    Pattern(
        "secret:gitlab_token",
        r"(?:GR1348941|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|rtr|ffct)-)[0-9A-Za-z_.-]{20,128}",
        "varied",
        after="",
    ),
    Pattern(
        "secret:slack_token",
        r"xox[abeoprs](?:\.xox[bp])?-(?:(?:[0-9]{1,14}-){1,3}[0-9A-Za-z-]{16,256}|[0-9A-Za-z]{16,48})",
        "random",
        after="",
    ),
    Pattern("secret:slack_app_token", r"xapp-[0-9]-[0-9A-Za-z-]{20,256}", "varied", after=""),
    Pattern(
        "secret:slack_webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z/]{20,128}",
        after="",
        doubt="drawn",
    ),
    Pattern(
        "secret:discord_webhook",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{15,21}/[0-9A-Za-z_-]{30,128}",
        "varied",
        after="",
    ),
    Pattern(
        "secret:telegram_token",
        r"[0-9]{6,12}:A[0-9A-Za-z_-]{33,35}",
        after="0-9A-Za-z_-",
        doubt="drawn",
        exact=r"[0-9]{8,10}:A[0-9A-Za-z_-]{34}",
    ),
    Pattern("secret:huggingface_token", r"hf_[0-9A-Za-z]{20,64}", "varied", exact=r"hf_[0-9A-Za-z]{34}"),
    Pattern("secret:replicate_token", r"r8_[0-9A-Za-z]{20,64}", "varied", exact=r"r8_[0-9A-Za-z]{37,40}"),
    Pattern("secret:groq_key", r"gsk_[0-9A-Za-z]{20,64}", "varied", exact=r"gsk_[0-9A-Za-z]{48,56}"),
    Pattern("secret:xai_key", r"xai-[0-9A-Za-z]{20,100}", "varied", exact=r"xai-[0-9A-Za-z]{80}"),
    Pattern("secret:perplexity_key", r"pplx-[0-9A-Za-z]{20,64}", "varied", exact=r"pplx-[0-9A-Za-z]{48,56}"),
    Pattern("secret:langsmith_key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", "varied"),
    Pattern(
        "secret:docker_token",
        r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{20,64}",
        "varied",
        after="",
        exact=r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{27,64}",
    ),
    Pattern("secret:npm_token", r"npm_[0-9A-Za-z]{20,64}", "varied", exact=r"npm_[0-9A-Za-z]{36}"),
    Pattern(
        "secret:pypi_token",
        r"pypi-[0-9A-Za-z_-]{20,256}",
        "varied",
        after="",
        exact=r"pypi-AgE[0-9A-Za-z_-]{60,}",
    ),
    Pattern(
        "secret:sendgrid_key",
        r"SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{32,64}",
        "varied",
        after="",
        exact=r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}",
    ),
    Pattern("secret:twilio_key", r"(?:SK|sk)[0-9a-f]{32}", "varied", exact="SK.*"),
    Pattern(
        "secret:digitalocean_token", r"do[opr]_v1_[0-9a-f]{20,64}", "varied", exact=r"do[opr]_v1_[0-9a-f]{64}"
    ),
    Pattern(
        "secret:databricks_token",
        r"dapi[0-9a-f]{20,32}(?:-[0-9])?",
        "varied",
        exact=r"dapi[0-9a-f]{32}(?:-[0-9])?",
    ),
    Pattern("secret:shopify_token", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}", "varied"),
    Pattern(
        "secret:vault_token",
        r"hv[sbr]\.[0-9A-Za-z_-]{20,256}",
        "varied",
        after="",
        exact=r"hv[sbr]\.[0-9A-Za-z_-]{24,}",
    ),
    Pattern(
        "secret:linear_key",
        r"lin_(?:api|oauth)_[0-9A-Za-z]{32,64}",
        "varied",
        exact=r"lin_(?:api|oauth)_[0-9A-Za-z]{40,64}",
    ),
    Pattern(
        "secret:notion_token",
        r"(?:ntn_|secret_)[0-9A-Za-z]{40,64}",
        "varied",
        exact=r"ntn_[0-9A-Za-z]{46}|secret_[0-9A-Za-z]{43}",
    ),
    Pattern("secret:onepassword_token", r"ops_eyJ[0-9A-Za-z+/=_-]{50,4096}", "varied", after=""),
    Pattern(
        "secret:onepassword_token",
        r"A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})(?:-[0-9A-Z]{5}){3}",
        "varied",
    ),
    Pattern(
        "secret:azure_secret",
        r"[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}",
        "varied",
        before="0-9A-Za-z_~.",
        after="",
    ),
    Pattern(
        "secret:facebook_token",
        r"(?:EAA[0-9A-Za-z]{80,512}|[0-9]{13,17}(?:\||%7C)[0-9A-Za-z_-]{27})",
        "varied",
        after="",
    ),
    Pattern("secret:atlassian_token", r"(?:AT[AC]TT3|ATBB)[0-9A-Za-z_=+-]{24,512}", "varied", after=""),
    Pattern(
        "secret:discord_token",
        r"[MNO][0-9A-Za-z_-]{23,25}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,45}",
        after="",
        doubt="drawn",
    ),
    Pattern("secret:airtable_token", r"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}", "varied"),
    Pattern(
        "secret:hubspot_token", r"pat-(?:na|eu)[0-9]-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "varied"
    ),
    Pattern("secret:mailgun_key", r"key-[0-9a-f]{32}", "varied"),
    Pattern("secret:mailchimp_key", r"[0-9a-f]{32}-us[0-9]{1,2}", "varied"),
    Pattern(
        "secret:service_token",  # of platforms on which programs are built, run and watched
        f"(?:{'|'.join(SERVICE_TOKENS)})",
        "varied",
        after="",
    ),
    Pattern(
        "secret:grafana_token",
        r"(?:gl(?:sa|c)_[0-9A-Za-z_+/=-]{32,256}|eyJrIjoi[0-9A-Za-z+/]{60,400}={0,3})",
        "varied",
        after="",
    ),
    Pattern(
        "secret:azure_key",
        r"(?:AccountKey=|SharedAccessKey=|[?&]sig=)(?P<secret>[0-9A-Za-z+/%]{40,160}={0,2})",
        "varied",
        before="",
        after="",
    ),
    Pattern(
        "secret:service_token", r"A{20,22}[0-9A-Za-z%]{60,140}", "random", after="", doubt="never"
    ),  # of Twitter
    Pattern("secret:service_token", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}"),
    Pattern("secret:service_token", r"s\.[0-9A-Za-z]{24}", "random"),  # of Vault, before 1.10
    *WORDED,
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
        r"(?:phone|mobile|cell|tel|telephone|telefon|fax|whatsapp|landline"
        r"|(?:call|reach|text|ring|dial|answer|answering)(?: me| us| him| her| them| back)?(?: at| on)?)"
        r"(?: (?:number|no|nr|is|line))?[\"']{0,2}[ \t.:#=\"']{1,4}(?:\r?\n[ \t]{0,4})?"
        r"(?P<secret>\+?\(?[0-9][0-9 ().-]{5,20}[0-9](?:x[0-9]{1,6})?)",
        "dialled",
        ignore_case=True,
    ),
    Pattern(
        "phone",
        r"(?P<secret>\+?\(?[0-9][0-9 ().-]{5,15}[0-9](?:x[0-9]{1,6})?)"
        r"[ \t(-]{1,3}(?:office|fax|home|mobile|cell|work|landline|direct|switchboard)",
        "dialled",
        before="0-9A-Za-z_.+-",
        after="0-9A-Za-z_",
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
    Pattern(
        "phone",  # as it is grouped elsewhere: three, three, four; or four pairs
        r"(?:[0-9]{3}\.[0-9]{3}\.[0-9]{4}|[0-9]{3} [0-9]{3} [0-9]{4}|[0-9]{2}(?:-[0-9]{2}){3,4})",
        "grouped_phone",
        before="0-9A-Za-z_.+/-",
        after="0-9A-Za-z_./-",
    ),
    Pattern("ip", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "ip", before="0-9A-Za-z_.", after="0-9A-Za-z_"),
    Pattern(
        "ip",
        r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}",
        "ip",
        before="0-9A-Za-z_:",
        after="0-9A-Za-z_:",
        screen="|".join(f"{at * _HEX}:[0-9A-Fa-f:]{{{5 - at}}}" for at in range(5)),  # no mere `::`
    ),
)
