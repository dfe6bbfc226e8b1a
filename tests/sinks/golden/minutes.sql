CREATE TABLE tocsin.minutes
(
    `minute` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `log_id` LowCardinality(String),
    `log_partition` UInt32,
    `tenant` LowCardinality(String),
    `application` LowCardinality(String),
    `agent` LowCardinality(String),
    `model` LowCardinality(String),
    `tool` LowCardinality(String),
    `kind` LowCardinality(String),
    `status` LowCardinality(String),
    `version` UInt64 CODEC(ZSTD(1)),
    `events` UInt64 CODEC(ZSTD(1)),
    `duplicates` UInt64 CODEC(ZSTD(1)),
    `refusals` UInt64 CODEC(ZSTD(1)),
    `input_tokens` UInt64 CODEC(ZSTD(1)),
    `output_tokens` UInt64 CODEC(ZSTD(1)),
    `cache_read_tokens` UInt64 CODEC(ZSTD(1)),
    `cache_write_tokens` UInt64 CODEC(ZSTD(1)),
    `reasoning_tokens` UInt64 CODEC(ZSTD(1)),
    `cost_usd` Decimal(38, 9) CODEC(ZSTD(1)),
    `durations` UInt64 CODEC(ZSTD(1)),
    `duration_ms` Decimal(38, 3) CODEC(ZSTD(1)),
    `users` AggregateFunction(uniq, String),
    `sessions` AggregateFunction(uniq, String),
    `duration` AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    `first_token` AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    `stored` DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, application, agent, model, tool, kind, status, log_id, log_partition)
TTL stored + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, ttl_only_drop_parts = 1, index_granularity = 8192
