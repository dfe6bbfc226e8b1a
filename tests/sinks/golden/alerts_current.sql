CREATE VIEW tocsin.alerts_current
(
    `id` String,
    `revision` UInt32,
    `status` LowCardinality(String),
    `detector` LowCardinality(String),
    `detector_type` LowCardinality(String),
    `detector_version` UInt32,
    `tenant` LowCardinality(String),
    `application` LowCardinality(String),
    `key` String,
    `severity` Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5),
    `summary` String,
    `first_seen` DateTime64(3, 'UTC'),
    `last_seen` DateTime64(3, 'UTC'),
    `count` UInt64,
    `value` Nullable(Float64),
    `baseline` Nullable(Float64),
    `window_seconds` Nullable(Float64),
    `since` Nullable(DateTime64(3, 'UTC')),
    `evidence` Map(LowCardinality(String), String),
    `event_ids` Array(String),
    `agent` LowCardinality(String),
    `session` String,
    `user` String,
    `api_key` LowCardinality(String),
    `tool` LowCardinality(String),
    `model` LowCardinality(String),
    `owasp` Array(LowCardinality(String)),
    `atlas` Array(LowCardinality(String)),
    `backfill` Bool,
    `log_id` LowCardinality(String),
    `log_partition` UInt32,
    `log_offset` UInt64,
    `log_index` UInt32,
    `arrival` DateTime64(3, 'UTC'),
    `stored` DateTime('UTC')
)
AS SELECT *
FROM tocsin.alerts
FINAL
WHERE (id, revision) IN (
    SELECT
        id,
        max(revision)
    FROM tocsin.alerts
    GROUP BY id
)
