-- What was applied, by name and checksum. This file runs every time; the numbered ones after it once.
CREATE DATABASE IF NOT EXISTS $database $on_cluster;

CREATE TABLE IF NOT EXISTS $database.migrations $on_cluster
(
    name     String,
    checksum String,
    applied  DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = $ReplacingMergeTree()
ORDER BY (name, checksum)
SETTINGS non_replicated_deduplication_window = 0, replicated_deduplication_window = 0;
