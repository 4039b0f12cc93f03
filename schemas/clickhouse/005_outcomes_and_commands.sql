-- Lead outcomes and account commands, as they were said; refused records of all inputs name their tenant.

CREATE TABLE IF NOT EXISTS lead_outcomes (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the outcome, unique per tenant',
    precedence UInt64 COMMENT 'falls with the time: of two outcomes with one id the earlier holds',
    outcome LowCardinality(String) COMMENT 'accepted, rejected, working, won, lost or recycled',
    handoff_id String COMMENT 'hand-off that it names; empty: none',
    account_keys Array(String) COMMENT 'keys of the account, kind:value, strongest first; that of the hand-off where it names none',
    reason String COMMENT 'why, in words',
    reason_code LowCardinality(String) COMMENT 'why, one of a list; empty: none told',
    value Nullable(Decimal(38, 6)) COMMENT 'net value in the currency; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it; empty: not told'
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (tenant, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What became of leads, as sales says';

CREATE TABLE IF NOT EXISTS account_commands (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the command, unique per tenant',
    precedence UInt64 COMMENT 'falls with the time: of two commands with one id the earlier holds',
    command LowCardinality(String) COMMENT 'assign_role, remove_role, set_owner, assign_segment or close_journey',
    account_keys Array(String) COMMENT 'keys of the account, kind:value, strongest first',
    identifiers Array(String) COMMENT 'identifiers of the person, kind:value, strongest first; # and a hash: erased',
    identifier_keys Array(UInt64) COMMENT 'keyed hashes of identifiers',
    role LowCardinality(String) COMMENT 'role of the person; empty: the command needs none',
    owner String COMMENT 'who looks after the account; empty: the command needs none',
    scheme LowCardinality(String) COMMENT 'division into segments; empty: the command needs none',
    segment String COMMENT 'segment; empty: the command needs none',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it; empty: not told'
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (tenant, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What people decide about accounts';

CREATE OR REPLACE VIEW v_lead_outcomes (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the outcome',
    outcome LowCardinality(String) COMMENT 'accepted, rejected, working, won, lost or recycled',
    handoff_id String COMMENT 'hand-off that it names; empty: none',
    account_keys Array(String) COMMENT 'keys of the account, kind:value, strongest first; that of the hand-off where it names none',
    reason String COMMENT 'why, in words',
    reason_code LowCardinality(String) COMMENT 'why, one of a list; empty: none told',
    value Nullable(Decimal(38, 6)) COMMENT 'net value in the currency; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217; empty: none told',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it; empty: not told'
) AS
SELECT
    tenant, event_id, outcome, handoff_id, account_keys, reason, reason_code, value, currency, said_at, said_by
FROM lead_outcomes FINAL
COMMENT 'One row per outcome that sales told, as it was told';

CREATE OR REPLACE VIEW v_account_commands (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the command',
    command LowCardinality(String) COMMENT 'assign_role, remove_role, set_owner, assign_segment or close_journey',
    account_keys Array(String) COMMENT 'keys of the account, kind:value, strongest first',
    identifiers Array(String) COMMENT 'identifiers of the person, kind:value, strongest first; # and a hash: a person who is erased',
    role LowCardinality(String) COMMENT 'role of the person; empty: the command needs none',
    owner String COMMENT 'who looks after the account; empty: the command needs none',
    scheme LowCardinality(String) COMMENT 'division into segments; empty: the command needs none',
    segment String COMMENT 'segment; empty: the command needs none',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it; empty: not told'
) AS
SELECT
    tenant, event_id, command, account_keys, identifiers, role, owner, scheme, segment, said_at, said_by
FROM account_commands FINAL
COMMENT 'One row per command about an account, as it was given';

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
    multiIf(told != '', told, untold, 'default', '') AS tenant,
    at, reason, field, error, topic, partition, offset, generation, original, size
FROM dead_letters FINAL
COMMENT 'One row per refused record';
