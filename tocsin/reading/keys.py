"""Keys and tokens that show by their form whose they are: prefix, alphabet and length as the vendors' own
documentation and examples give them. Fragments of one expression of `tocsin.reading.patterns`."""

from __future__ import annotations

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# Keys that say who calls, and that their vendors let stand in programs which everybody can read.
GOOGLE_KEY = "AIza[0-9A-Za-z_-]{20,35}"
PUBLISHED = (
    *("pk_(?:live|test|prod)_[0-9A-Za-z]{10,256}", "phc_[0-9A-Za-z]{40,64}"),
    *(r"pk\.eyJ[0-9A-Za-z_-]{40,200}\.[0-9A-Za-z_-]{22}", "(?:live|test)_pub_[0-9a-f]{31,35}"),
    *("FLWPUBK(?:_TEST)?-[0-9A-Za-z]{12,40}-X", "NRJS-[0-9A-Za-z_-]{19,40}"),
)

# Of providers of models, search and vector stores.
MODEL_KEYS = (
    *("fw_[0-9A-Za-z]{20,64}", "csk-[0-9a-z]{40,64}", "pcsk_[0-9A-Za-z_]{30,128}", "jina_[0-9A-Za-z]{40,80}"),
    *(
        "tvly-[0-9A-Za-z-]{20,64}",
        "fc-[0-9a-f]{32}",
        "tgp_v1_[0-9A-Za-z_-]{30,80}",
        "pa-[0-9A-Za-z_-]{40,60}",
    ),
    *("sk_[0-9a-f]{40,64}", "wandb_v1_[0-9A-Za-z_-]{20,128}", "phx_[0-9A-Za-z]{30,64}"),
    "BSA[0-9A-Za-z_-]{28}",
    *("bt-st-[0-9A-Za-z]{30,64}", "api_org_[A-Za-z]{34}", "4b1d[0-9A-Za-z]{38}"),
)

# Of platforms on which programs are built, run, watched and paid for.
SERVICE_TOKENS = (
    *("rubygems_[0-9a-f]{48}", "cio[0-9A-Za-z]{32}", "oy2[0-9a-z]{43}", "pul-[0-9a-f]{40}"),
    *(r"dp\.(?:pt|st|sa|ct|scim|audit)\.[0-9A-Za-z._-]{40,80}", "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    *("NR(?:AK|II)-[0-9A-Za-z_-]{19,40}", "sntry[su]_[0-9A-Za-z+/=_-]{40,400}"),
    *(r"dt0[cs]01\.[0-9A-Z]{24}\.[0-9A-Z]{64}", "figd_[0-9A-Za-z_-]{38,64}"),
    *(
        "xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}",
        "sq0(?:atp|csp|idp)-[0-9A-Za-z_-]{22,64}",
        "EAAA[0-9A-Za-z_-]{60}",
    ),
    *("tskey-[a-z]{2,10}-[0-9A-Za-z-]{20,80}", "sq[aups]_[0-9a-f]{40}", "CCIPAT_[0-9A-Za-z_]{40,80}"),
    *("bkua_[0-9a-f]{40}", "sbp_[0-9a-f]{40}", "sb_secret_[0-9A-Za-z_-]{20,64}", "napi_[0-9a-z]{40,80}"),
    *(
        "pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_=.-]{32,64}",
        "nfp_[0-9A-Za-z]{36,64}",
        "HRKU-[0-9A-Za-z_-]{36,64}",
    ),
    *("fm(?:1[ar]?|2)_[0-9A-Za-z+/=]{60,2048}", "fo1_[0-9A-Za-z_-]{43}"),
    *("sgp_(?:[0-9A-Za-z]{1,16}_)?[0-9A-Fa-f]{40}", "rzp_live_[0-9A-Za-z]{14,32}"),
    *(f"access-(?:sandbox|development|production)-{_UUID}", "vercel_blob_rw_[0-9A-Za-z_]{30,80}"),
    *(
        "v(?:cp|ck|ci)_[0-9A-Za-z]{40,80}",
        r"[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,80}",
    ),
    *("aio_[0-9A-Za-z]{28}", "p8e-[0-9A-Za-z]{32}", "LTAI[0-9A-Za-z]{12,24}", "AKCp[0-9A-Za-z]{69}"),
    *("cmVmdGtuO[0-9A-Za-z]{50,64}", "[12]/[0-9]{13,19}(?:/[0-9]{13,19})?:[0-9a-f]{32}"),
    r"(?:sc|ext|scauth|authress)_[0-9A-Za-z]{5,30}\.[0-9A-Za-z]{4,6}\.acc[_-][0-9A-Za-z-]{10,32}\.[0-9A-Za-z+/_=-]{30,120}",
    *("b_[0-9A-Za-z=_-]{44}", "CLOJARS_[0-9A-Za-z]{60}", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    *("dnkey-[0-9A-Za-z=_-]{26}-[0-9A-Za-z=_-]{52}", r"sl\.[0-9A-Za-z_-]{100,2048}"),
    *("duffel_(?:test|live)_[0-9A-Za-z_=-]{43}", "EZ[AT]K[0-9A-Za-z]{54}"),
    *(
        "FLWSECK(?:_TEST)?-[0-9A-Za-z]{12,40}-X",
        "FLWSECK_TEST[0-9A-Za-z]{12}",
        "fio-u-[0-9A-Za-z_=-]{64}",
    ),
    *("(?:live|sandbox)_[0-9A-Za-z_=-]{40}", r"[ps]at\.[0-9A-Za-z_-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20}"),
    *("ico-[0-9A-Za-z]{32}", "[su]-s4t2(?:ud|af)-[0-9a-f]{64}", f"(?:sdk|mob|api)-{_UUID}"),
    *("(?:live|test)_[0-9a-f]{31,35}", r"sk\.eyJ[0-9A-Za-z_-]{40,200}\.[0-9A-Za-z_-]{22}"),
    *("[0-9A-Za-z]{6}_[0-9A-Za-z]{29}_mmk", "API-[0-9A-Z]{26,32}", "sha256~[0-9A-Za-z_-]{43}"),
    rf"webhook\.office\.com/webhookb2/{_UUID}@{_UUID}/IncomingWebhook/[0-9a-f]{{32}}/{_UUID}",
    *("pnu_[0-9A-Za-z]{36}", "rdme_[0-9a-z]{70}", "tk-us-[0-9A-Za-z_-]{48}", "sm_[aps]at_[0-9A-Za-z]{16}"),
    *("shippo_(?:live|test)_[0-9a-f]{40}", "tfp_[0-9A-Za-z_.=-]{59}"),
    *(
        "CFPAT-[0-9A-Za-z_-]{43}",
        "mdb_sa_sk_[0-9A-Za-z_-]{40}",
        "AVNS_[0-9A-Za-z_-]{19}",
        "cflt[0-9A-Za-z+/]{60}",
    ),
    *(
        "dose[0-9a-f]{32}",
        "[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}",
        "essu_[0-9A-Za-z+/=]{40,120}",
        "rnd_[0-9A-Za-z]{32}",
    ),
    *("(?:live|test)_[0-9A-Za-z]{30}", "re_[0-9A-Za-z]{8}_[0-9A-Za-z]{20,32}", "pk_[0-9]{6,9}_[0-9A-Z]{32}"),
    *(
        "dG9rO[0-9A-Za-z+/_-]{50,60}=?",
        "[0-9a-f]{36}NRAL",
        "perm[:-][0-9A-Za-z+/=_-]{4,64}[.][0-9A-Za-z+/=_-]{2,64}[.][0-9A-Za-z]{20,64}",
    ),
    r"hooks\.zapier\.com/hooks/catch/[0-9]{4,12}/[0-9A-Za-z]{6,12}",
    rf"open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/{_UUID}",
    *(
        "AQVN[0-9A-Za-z_-]{35,38}",
        r"t1\.[0-9A-Z][0-9A-Za-z_-]{8,256}={0,2}\.[0-9A-Za-z_-]{86}",
        "y[0-3]_[0-9A-Za-z_-]{55,58}",
        "YC[0-9A-Za-z_-]{38}",
        "xprv[1-9A-HJ-NP-Za-km-z]{107}",
    ),
)

# Whose keys have no form of their own: told by their name beside a value that looks like a key.
PROVIDERS = (
    (
        "adafruit",
        "adobe",
        "airtable",
        "algolia",
        "alibaba",
        "aliyun",
        "asana",
        "atlassian",
        "auth0",
        "beamer",
    ),
    ("bitbucket", "bittrex", "braintree", "cloudflare", "cloudinary", "codecov", "cohere", "coinbase"),
    (
        "confluence",
        "confluent",
        "contentful",
        "datadog",
        "dd_app",
        "deepgram",
        "discord",
        "drone",
        "dropbox",
    ),
    ("elastic", "etsy", "facebook", "fastly", "finicity", "finnhub", "flickr", "freshbooks", "freemius"),
    (
        "gitter",
        "heroku",
        "hubspot",
        "intercom",
        "jfrog",
        "artifactory",
        "bintray",
        "jira",
        "kraken",
        "kucoin",
    ),
    (
        "launchdarkly",
        "linear",
        "linkedin",
        "looker",
        "mailgun",
        "mapbox",
        "mattermost",
        "meraki",
        "messagebird",
        "mistral",
    ),
    ("netlify", "new[ _-]?relic", "nytimes", "okta", "openweather", "opsgenie", "pagerduty", "plaid"),
    ("planetscale", "private[ _-]?ai", "pusher", "rapidapi", "rollbar", "segment", "sendbird", "sendgrid"),
    (
        "sentry",
        "snyk",
        "sonar",
        "sourcegraph",
        "splunk",
        "squarespace",
        "stability",
        "sumologic",
        "sumo_",
        "telegram",
    ),
    ("anthropic", "assemblyai", "deepseek", "elevenlabs", "fireworks", "gemini", "groq", "hugging[ _-]?face"),
    (
        "moonshot",
        "openai",
        "openrouter",
        "perplexity",
        "pinecone",
        "replicate",
        "serper",
        "supabase",
        "tavily",
    ),
    ("travis", "trello", "twilio", "twitch", "twitter", "weaviate", "yandex", "zendesk", "zoom"),
)
