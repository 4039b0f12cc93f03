-- Who came back after an erasure; the tenant of refused records is that of their trusted header.

ALTER TABLE accounts
    ADD COLUMN IF NOT EXISTS anew Map(UInt64, Int64) COMMENT 'keyed hashes of identifiers of which all before a time is erased, as the profile knows: that time, ms since 1970';

ALTER TABLE dead_letters
    ADD COLUMN IF NOT EXISTS told_tenant LowCardinality(String) COMMENT 'whose it is, as a trusted header said, or the step that refused it; empty: the bytes tell';

CREATE OR REPLACE VIEW v_dead_letters (
    tenant LowCardinality(String) COMMENT 'tenant; empty: the refused record cannot be read',
    at DateTime64(3, 'UTC') COMMENT 'when it was refused',
    reason LowCardinality(String) COMMENT 'reason',
    field String COMMENT 'field that is to blame; empty: none',
    error String COMMENT 'what is wrong with it',
    topic LowCardinality(String) COMMENT 'topic of the refused record',
    partition UInt32 COMMENT 'its partition',
    offset Int64 COMMENT 'its offset; negative: no record is to blame, it stands for the account',
    generation UInt64 COMMENT 'generation of the broker''s data: offsets of an embedded broker begin anew',
    original String COMMENT 'the bytes that came, or their beginning',
    size UInt64 COMMENT 'bytes that came'
) AS
WITH
    trimBoth(JSONExtractString(original, 'tenant')) AS told,
    -- As INGEST has it; what others refuse names its tenant where it has one.
    topic IN ('touchpoints', 'identity-assertions', 'privacy-requests', 'lead-outcomes', 'account-commands')
        AND JSONType(original) = 'Object' AND JSONType(original, 'tenant') IN ('Null', 'String') AS untold
SELECT
    multiIf(told_tenant != '', told_tenant, told != '', told, untold, 'default', '') AS tenant,
    at, reason, field, error, topic, partition, offset, generation, original, size
FROM dead_letters FINAL
COMMENT 'One row per refused record';
