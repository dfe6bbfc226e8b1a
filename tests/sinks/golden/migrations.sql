CREATE TABLE tocsin.migrations
(
    `name` String,
    `checksum` String,
    `applied` DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (name, checksum)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0, index_granularity = 8192
