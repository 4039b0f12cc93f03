-- People's statements, refused links, erasure, merge candidates: tables, and columns of tables that were there.
--
-- What erasure must find is found by keyed hashes, the first eight bytes of schemas.keys: a statement that names
-- nobody is all that ClickHouse keeps of an erasure, in its tables and in the files of its mutations. Rows from
-- before this migration carry none and are not found.

ALTER TABLE touchpoints
    ADD COLUMN IF NOT EXISTS identifier_key UInt64 COMMENT 'keyed hash of identifier; 0: none',
    ADD COLUMN IF NOT EXISTS strong_keys Array(UInt64) DEFAULT arrayMap(i -> toUInt64(0), strong) COMMENT 'keyed hashes of strong',
    ADD COLUMN IF NOT EXISTS weak_keys Array(UInt64) DEFAULT arrayMap(i -> toUInt64(0), weak) COMMENT 'keyed hashes of weak',
    ADD COLUMN IF NOT EXISTS event_key UInt64 DEFAULT cityHash64(tenant, source, event_id) COMMENT 'keyed hash of tenant, source and event_id',
    ADD COLUMN IF NOT EXISTS place LowCardinality(String) COMMENT 'firm domain of the e-mail address on a touch of a stronger identifier that names no account, domain:…; else empty',
    ADD COLUMN IF NOT EXISTS job_title String MATERIALIZED JSONExtractString(contact_facts, 'job_title') COMMENT 'job title of the person as told',
    ADD INDEX IF NOT EXISTS by_identifier identifier_key TYPE bloom_filter GRANULARITY 4,
    ADD INDEX IF NOT EXISTS by_strong strong_keys TYPE bloom_filter GRANULARITY 4,
    ADD INDEX IF NOT EXISTS by_weak weak_keys TYPE bloom_filter GRANULARITY 4;

ALTER TABLE identity_map
    ADD COLUMN IF NOT EXISTS identifier_key UInt64 COMMENT 'keyed hash of identifier',
    ADD COLUMN IF NOT EXISTS span_placed Array(Bool) DEFAULT arrayMap(s -> false, span_from) COMMENT 'per span, true: no employment holds, so the firm of the address on a touch goes first',
    ADD COLUMN IF NOT EXISTS places Map(String, String) COMMENT 'domains of the contact''s own firm addresses, to account ids';

ALTER TABLE journey_events
    ADD COLUMN IF NOT EXISTS identifier_keys Array(UInt64) DEFAULT arrayMap(i -> toUInt64(0), contact_identifiers) COMMENT 'keyed hashes of contact_identifiers',
    ADD COLUMN IF NOT EXISTS caused_keys Array(UInt64) DEFAULT arrayMap(e -> toUInt64(0), caused_by) COMMENT 'keyed hashes of caused_by';

ALTER TABLE accounts
    MODIFY COLUMN members Array(Tuple(
        contact_id String,
        name String,
        identifiers Array(String),
        valid_from Nullable(DateTime64(3, 'UTC')),
        valid_to Nullable(DateTime64(3, 'UTC')),
        first_touch Nullable(DateTime64(3, 'UTC')),
        last_touch Nullable(DateTime64(3, 'UTC')),
        touches UInt64,
        stage String,
        lag_days Nullable(Float64),
        consent Map(String, Bool),
        keys Array(UInt64))) COMMENT 'contacts, one per period of employment; keys are the keyed hashes of identifiers',
    ADD COLUMN IF NOT EXISTS journeys Array(Tuple(
        number UInt32,
        opened_at DateTime64(3, 'UTC'),
        closed_at Nullable(DateTime64(3, 'UTC')),
        closed_by String,
        stages Array(Tuple(
            stage String,
            entered_at DateTime64(3, 'UTC'),
            caused_by Array(String),
            corrected Bool,
            caused_keys Array(UInt64))))) COMMENT 'journeys in event time, each with the stages entered; caused_keys are the keyed hashes of caused_by'
    AFTER members;

ALTER TABLE dead_letters
    ADD COLUMN IF NOT EXISTS identifier_keys Array(UInt64) COMMENT 'keyed hashes of the identifiers in the bytes that came',
    ADD COLUMN IF NOT EXISTS dated DateTime64(3, 'UTC') COMMENT 'event time of the refused record; 1970: it tells none';

CREATE TABLE IF NOT EXISTS identity_links (
    tenant LowCardinality(String) COMMENT 'tenant',
    link_key UInt64 COMMENT 'keyed hash of the link: its record key',
    version UInt256 COMMENT 'the highest holds',
    a String COMMENT 'identifier or account key, kind:value',
    b String COMMENT 'the other',
    a_key UInt64 COMMENT 'keyed hash of a',
    b_key UInt64 COMMENT 'keyed hash of b',
    source LowCardinality(String) COMMENT 'who said that they are the same; people: a person',
    rank UInt8 COMMENT 'trust rank of the source: 0 steward, 1 crm, 2 erp, 3 others',
    said_at DateTime64(3, 'UTC') COMMENT 'earliest time at which it was said',
    state LowCardinality(String) COMMENT 'held, refused, void or inert',
    why String COMMENT 'why it is not held'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, link_key)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Links between identifiers, and how each fared';

CREATE TABLE IF NOT EXISTS assertions (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the statement, unique per tenant',
    precedence UInt64 COMMENT 'falls with the time: of two statements with one id the earlier holds',
    assertion LowCardinality(String) COMMENT 'link, unlink, cannot_link, alias or parent',
    a String COMMENT 'identifier, account key or issued id, kind:value; of parent, the subsidiary; # and a hash: erased',
    b String COMMENT 'the other',
    a_key UInt64 COMMENT 'keyed hash of a',
    b_key UInt64 COMMENT 'keyed hash of b',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it'
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (tenant, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What people say of identities';

CREATE TABLE IF NOT EXISTS privacy_results (
    tenant LowCardinality(String) COMMENT 'tenant',
    request_id String COMMENT 'event_id of the request',
    version UInt256 COMMENT 'the highest holds',
    request LowCardinality(String) COMMENT 'erase or export',
    occurred_at DateTime64(3, 'UTC') COMMENT 'time of the request: everything up to then is meant',
    result LowCardinality(String) COMMENT 'done or not_found',
    counts Map(LowCardinality(String), UInt64) COMMENT 'how many identifiers and devices it was about',
    contact_ids Array(String) COMMENT 'contacts that it was about',
    emitted_at DateTime64(3, 'UTC') COMMENT 'when it was answered'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, request_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Answers to privacy requests';

CREATE TABLE IF NOT EXISTS erasures (
    tenant LowCardinality(String) COMMENT 'tenant',
    identifier_key UInt64 COMMENT 'keyed hash of the identifier',
    version UInt256 COMMENT 'version of the map row that tells it; the highest holds',
    since Array(Int64) COMMENT 'begin of each period, ms since 1970; 0: since ever',
    until Array(Int64) COMMENT 'end of each period, ms since 1970, itself not in it',
    gone Bool COMMENT 'true: nothing later is known of the identifier',
    keeps Array(String) COMMENT 'contacts it still belongs to',
    contacts Array(String) COMMENT 'contacts it belonged to before, and no longer does',
    person Bool COMMENT 'true: a person''s own identifier, not a device''s',
    kept_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, identifier_key)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Suppression: what is erased and never comes back, as keyed hashes';

CREATE TABLE IF NOT EXISTS erased_touchpoints (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_key UInt64 COMMENT 'keyed hash of tenant, source and event_id',
    caused_key UInt64 COMMENT 'keyed hash of tenant and event_id',
    held UInt8 COMMENT '1: it was in touchpoints; 0: it came when it was erased already',
    kept_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the row was written'
)
ENGINE = ReplacingMergeTree(held)
ORDER BY (tenant, event_key)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Events that were erased, as keyed hashes: they go on counting as accepted, and nothing names them';

CREATE TABLE IF NOT EXISTS merge_candidates (
    tenant LowCardinality(String) COMMENT 'tenant',
    a String COMMENT 'account id',
    b String COMMENT 'the other, greater',
    version UInt64 COMMENT 'when it was found, ms since 1970; the highest holds',
    a_name String COMMENT 'name of a',
    b_name String COMMENT 'name of b',
    score Float64 COMMENT 'how alike the names are, up to 1',
    why String COMMENT 'in words',
    gone Bool COMMENT 'true: no longer proposed'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, a, b)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Accounts whose names are alike: proposals for people';
