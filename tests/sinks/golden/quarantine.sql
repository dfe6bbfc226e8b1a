CREATE TABLE tocsin.quarantine
(
    `reason` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `shape` String CODEC(ZSTD(1)),
    `sample` String CODEC(ZSTD(3)),
    `size` UInt64 CODEC(ZSTD(1)),
    `sha256` String CODEC(ZSTD(1)),
    `log_id` LowCardinality(String),
    `log_partition` UInt32,
    `log_offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `log_index` UInt32,
    `arrival` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `source` LowCardinality(String),
    `source_partition` UInt32,
    `source_offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `source_index` UInt32,
    `tenant` LowCardinality(String),
    `stored` DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1)),
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(arrival)
ORDER BY (arrival, log_id, log_partition, log_offset, log_index)
TTL stored + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, ttl_only_drop_parts = 1, index_granularity = 8192
