-- Every LLM call, tool call, retrieval, agent step and evaluation.
--
-- A row is named by the log position that released it. Partitions follow the arrival clock, which no
-- sender can steer and which a replay repeats. The sorting key starts with what every question names
-- (tenant, hour) and ends with the position, so that ReplacingMergeTree folds exactly what a second
-- owner of the same partition wrote again, and nothing else. No deduplication window: its log is
-- written before the part is in place and can lose an acknowledged batch. `stored` decides how long a
-- row is kept, because a recording that is replayed may be older than any retention.
CREATE TABLE IF NOT EXISTS $database.events $on_cluster
(
    id                  String CODEC(ZSTD(1)),
    log_id              LowCardinality(String),
    log_partition       UInt32 CODEC(Delta, ZSTD(1)),
    log_offset          UInt64 CODEC(Delta, ZSTD(1)),
    log_index           UInt32 CODEC(Delta, ZSTD(1)),
    arrival             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    source              LowCardinality(String),
    source_partition    UInt32 CODEC(Delta, ZSTD(1)),
    source_offset       UInt64 CODEC(Delta, ZSTD(1)),
    source_index        UInt32 CODEC(Delta, ZSTD(1)),
    source_format       LowCardinality(String),
    duplicate           Bool,
    backfill            Bool,

    kind                LowCardinality(String),
    operation           LowCardinality(String),
    time                DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    original_time       Nullable(Float64) CODEC(ZSTD(1)),
    duration_ms         Nullable(Float64) CODEC(ZSTD(1)),
    first_token_ms      Nullable(Float64) CODEC(ZSTD(1)),

    tenant              LowCardinality(String),
    application         LowCardinality(String),
    service             LowCardinality(String),
    service_version     LowCardinality(String),
    environment         LowCardinality(String),
    agent               LowCardinality(String),
    agent_id            LowCardinality(String),
    session             String CODEC(ZSTD(1)),
    user                String CODEC(ZSTD(1)),
    api_key             LowCardinality(String),
    client_ip           String CODEC(ZSTD(1)),
    user_agent          LowCardinality(String),
    trace_id            String CODEC(ZSTD(1)),
    span_id             String CODEC(ZSTD(1)),
    parent_span_id      String CODEC(ZSTD(1)),

    provider            LowCardinality(String),
    model               LowCardinality(String),
    response_model      LowCardinality(String),
    response_id         String CODEC(ZSTD(1)),
    input_tokens        Nullable(UInt32) CODEC(ZSTD(1)),
    output_tokens       Nullable(UInt32) CODEC(ZSTD(1)),
    cache_read_tokens   Nullable(UInt32) CODEC(ZSTD(1)),
    cache_write_tokens  Nullable(UInt32) CODEC(ZSTD(1)),
    reasoning_tokens    Nullable(UInt32) CODEC(ZSTD(1)),
    cost_usd            Nullable(Float64) CODEC(ZSTD(1)),
    cost_source         LowCardinality(String),
    stream              Nullable(Bool),
    finish_reason       LowCardinality(String),
    status              LowCardinality(String),
    error_type          LowCardinality(String),
    error_message       String CODEC(ZSTD(1)),
    http_status         Nullable(UInt16),

    tool_name           LowCardinality(String),
    tool_type           LowCardinality(String),
    tool_server         LowCardinality(String),
    tool_call_id        String CODEC(ZSTD(1)),
    tool_decision       LowCardinality(String),

    input_messages      UInt32 CODEC(ZSTD(1)),
    output_messages     UInt32 CODEC(ZSTD(1)),
    new_messages        UInt32 CODEC(ZSTD(1)),
    offered_tools       UInt32 CODEC(ZSTD(1)),
    documents           UInt32 CODEC(ZSTD(1)),
    input_length        UInt32 CODEC(ZSTD(1)),
    output_length       UInt32 CODEC(ZSTD(1)),
    arguments_length    UInt32 CODEC(ZSTD(1)),
    result_length       UInt32 CODEC(ZSTD(1)),
    input_digest        String CODEC(ZSTD(1)),
    output_digest       String CODEC(ZSTD(1)),
    refusal             Bool,
    content_available   Bool,
    truncated           Bool,
    compacted           Bool,
    input_excerpt       String CODEC(ZSTD(3)),
    output_excerpt      String CODEC(ZSTD(3)),
    arguments_excerpt   String CODEC(ZSTD(3)),
    result_excerpt      String CODEC(ZSTD(3)),

    evaluation_name     LowCardinality(String),
    evaluation_score    Nullable(Float64) CODEC(ZSTD(1)),
    evaluation_label    LowCardinality(String),
    guardrail_name      LowCardinality(String),
    guardrail_status    LowCardinality(String),
    guardrail_score     Nullable(Float64) CODEC(ZSTD(1)),

    invalid_fields      Array(LowCardinality(String)),
    attributes          Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    stored              DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1)),

    INDEX by_offset  log_offset TYPE minmax GRANULARITY 1,
    INDEX by_session session    TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_trace   trace_id   TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user    user       TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = $ReplacingMergeTree()
PARTITION BY toDate(arrival)
ORDER BY (tenant, toStartOfHour(time), application, log_id, log_partition, log_offset, log_index)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, ttl_only_drop_parts = 1,
    min_parts_to_merge_at_once = 20;  -- fewer, larger merges: a third less CPU for each event
