-- What the reading step found in the new texts of an event: the highest score of those that are not the
-- model's own answer (NULL where nothing was read), rules, types of secrets and personal data, canaries.
ALTER TABLE $database.events $on_cluster
    ADD COLUMN IF NOT EXISTS score Nullable(Float64) CODEC(ZSTD(1)) AFTER refusal,
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER score,
    ADD COLUMN IF NOT EXISTS findings Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER rules,
    ADD COLUMN IF NOT EXISTS canaries Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER findings;
