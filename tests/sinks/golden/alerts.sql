CREATE TABLE tocsin.alerts
(
    `id` String CODEC(ZSTD(1)),
    `revision` UInt32,
    `status` LowCardinality(String),
    `detector` LowCardinality(String),
    `detector_type` LowCardinality(String),
    `detector_version` UInt32,
    `tenant` LowCardinality(String),
    `application` LowCardinality(String),
    `key` String CODEC(ZSTD(1)),
    `severity` Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5),
    `summary` String CODEC(ZSTD(1)),
    `first_seen` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last_seen` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `count` UInt64 CODEC(ZSTD(1)),
    `value` Nullable(Float64),
    `baseline` Nullable(Float64),
    `window_seconds` Nullable(Float64),
    `since` Nullable(DateTime64(3, 'UTC')),
    `evidence` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `event_ids` Array(String) CODEC(ZSTD(1)),
    `agent` LowCardinality(String),
    `session` String CODEC(ZSTD(1)),
    `user` String CODEC(ZSTD(1)),
    `api_key` LowCardinality(String),
    `tool` LowCardinality(String),
    `model` LowCardinality(String),
    `owasp` Array(LowCardinality(String)),
    `atlas` Array(LowCardinality(String)),
    `backfill` Bool,
    `log_id` LowCardinality(String),
    `log_partition` UInt32,
    `log_offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `log_index` UInt32,
    `arrival` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `stored` DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1)),
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(first_seen)
ORDER BY (tenant, first_seen, id, revision, log_id, log_partition, log_offset, log_index)
TTL stored + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, ttl_only_drop_parts = 1, index_granularity = 8192
