-- One row per minute of event time, log partition and key: absolute values, computed again from
-- `events FINAL` whenever a checkpoint touched the minute. The highest version wins; nothing is ever
-- summed up incrementally, so a crash cannot make a figure wrong. Sums are decimals: the same events
-- give the same digits in whatever order they are read. Events seen before are counted as
-- `duplicates` and are in no other figure.
CREATE TABLE IF NOT EXISTS $database.minutes $on_cluster
(
    minute             DateTime('UTC') CODEC(Delta, ZSTD(1)),
    log_id             LowCardinality(String),
    log_partition      UInt32,
    tenant             LowCardinality(String),
    application        LowCardinality(String),
    agent              LowCardinality(String),
    model              LowCardinality(String),
    tool               LowCardinality(String),
    kind               LowCardinality(String),
    status             LowCardinality(String),
    version            UInt64 CODEC(ZSTD(1)),

    events             UInt64 CODEC(ZSTD(1)),
    duplicates         UInt64 CODEC(ZSTD(1)),
    refusals           UInt64 CODEC(ZSTD(1)),
    input_tokens       UInt64 CODEC(ZSTD(1)),
    output_tokens      UInt64 CODEC(ZSTD(1)),
    cache_read_tokens  UInt64 CODEC(ZSTD(1)),
    cache_write_tokens UInt64 CODEC(ZSTD(1)),
    reasoning_tokens   UInt64 CODEC(ZSTD(1)),
    cost_usd           Decimal(38, 9) CODEC(ZSTD(1)),
    durations          UInt64 CODEC(ZSTD(1)),
    duration_ms        Decimal(38, 3) CODEC(ZSTD(1)),
    users              AggregateFunction(uniq, String),
    sessions           AggregateFunction(uniq, String),
    duration           AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    first_token        AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    stored             DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = $ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, application, agent, model, tool, kind, status, log_id, log_partition)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, ttl_only_drop_parts = 1;

-- The same over all log partitions: sums are numbers, the states want uniqMerge and
-- quantilesBFloat16Merge(0.5, 0.95, 0.99).
CREATE VIEW IF NOT EXISTS $database.usage $on_cluster AS
SELECT
    minute, tenant, application, agent, model, tool, kind, status,
    sum(m.events) AS events,
    sum(m.duplicates) AS duplicates,
    sum(m.refusals) AS refusals,
    sum(m.input_tokens) AS input_tokens,
    sum(m.output_tokens) AS output_tokens,
    sum(m.cache_read_tokens) AS cache_read_tokens,
    sum(m.cache_write_tokens) AS cache_write_tokens,
    sum(m.reasoning_tokens) AS reasoning_tokens,
    sum(m.cost_usd) AS cost_usd,
    sum(m.durations) AS durations,
    sum(m.duration_ms) AS duration_ms,
    uniqMergeState(m.users) AS users,
    uniqMergeState(m.sessions) AS sessions,
    quantilesBFloat16MergeState(0.5, 0.95, 0.99)(m.duration) AS duration,
    quantilesBFloat16MergeState(0.5, 0.95, 0.99)(m.first_token) AS first_token
FROM $database.minutes AS m FINAL
GROUP BY minute, tenant, application, agent, model, tool, kind, status;
