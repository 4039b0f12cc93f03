-- Tables. Analysts read the v_* views of 002, never these: here rows may still stand twice.
--
-- Every table is a ReplacingMergeTree read with FINAL, so a repeated row is harmless. None has a partition
-- key: duplicates fold only within a partition, and no time of a row is certain to stay as it is.
-- `version` is (generation, epoch, seq), 64 bits each, as one integer: the highest holds, whatever came last.

CREATE TABLE IF NOT EXISTS touchpoints (
    tenant LowCardinality(String) COMMENT 'tenant',
    source LowCardinality(String) COMMENT 'system the event came from',
    event_id String COMMENT 'id of the event, unique per tenant and source',
    type LowCardinality(String) COMMENT 'touchpoint type; an unknown one is custom',
    type_name LowCardinality(String) COMMENT 'name of a custom type, else empty',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time',
    digest UInt64 COMMENT 'hash of the content, below 2^63',
    identifier String COMMENT 'strongest identifier or account key, kind:value; empty: none',
    account String COMMENT 'account key that the touch itself names; empty: none',
    strong Array(String) COMMENT 'strong identifiers on the event, strongest first',
    weak Array(String) COMMENT 'weak identifiers on the event, strongest first',
    actor LowCardinality(String) COMMENT 'person, machine or us',
    rank UInt8 COMMENT 'trust rank of the source: 0 steward, 1 crm, 2 erp, 3 others',
    channel LowCardinality(String) COMMENT 'channel',
    url String COMMENT 'page',
    title String COMMENT 'title of the content',
    topic LowCardinality(String) COMMENT 'topic of the content',
    search_terms String COMMENT 'what was searched for',
    content_id String COMMENT 'id of the content',
    order_namespace LowCardinality(String) COMMENT 'whose order numbers these are',
    order_id String COMMENT 'order number',
    order_value Nullable(Decimal(38, 6)) COMMENT 'net value; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    return_reason String COMMENT 'why it was returned',
    promotion String COMMENT 'promotion used',
    lines Array(Tuple(
        sku String,
        product_family String,
        brand String,
        quantity Nullable(Decimal(38, 6)),
        value Nullable(Decimal(38, 6)))) COMMENT 'order lines; value is the line total',
    campaign_id String COMMENT 'campaign',
    campaign_name String COMMENT 'its name',
    campaign_medium LowCardinality(String) COMMENT 'its medium',
    campaign_source LowCardinality(String) COMMENT 'its source',
    contact_facts String COMMENT 'facts about the person, a JSON object or empty',
    organisation_facts String COMMENT 'facts about the firm, a JSON object or empty',
    consent Map(LowCardinality(String), Bool) COMMENT 'purpose to given or withdrawn',
    extra String COMMENT 'unknown fields of the event, a JSON object or empty',
    contact_name String MATERIALIZED JSONExtractString(contact_facts, 'name') COMMENT 'name of the person as told',
    precedence UInt128 MATERIALIZED
        bitShiftLeft(toUInt128(9223372036854775807 - toUnixTimestamp64Milli(occurred_at)), 63)
        + (9223372036854775807 - digest) COMMENT 'falls with (occurred_at, digest): the least of these holds'
)
ENGINE = ReplacingMergeTree(precedence)
-- The key is the event, not its time or identifier: a resend may carry others, and still counts once.
ORDER BY (tenant, source, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Accepted touchpoints with the identifier they came with; stitching never rewrites them';

CREATE TABLE IF NOT EXISTS identity_map (
    tenant LowCardinality(String) COMMENT 'tenant',
    identifier String COMMENT 'kind:value',
    version UInt256 COMMENT 'the highest holds',
    span_from Array(DateTime64(3, 'UTC')) COMMENT 'begin of each span of time, ascending; 1970: since ever',
    span_contact Array(String) COMMENT 'contact id per span; empty: nobody',
    span_account Array(String) COMMENT 'account id per span; empty: none',
    accounts Map(String, String) COMMENT 'account keys named on touches of the identifier, to account ids'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, identifier)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Which contact and account an identifier belongs to, per span of time';

CREATE TABLE IF NOT EXISTS journey_events (
    tenant LowCardinality(String) COMMENT 'tenant',
    subject String COMMENT 'account or contact id',
    id String COMMENT 'hash of what is told: a repeated event has the same',
    type LowCardinality(String) COMMENT 'event type',
    kind LowCardinality(String) COMMENT 'what is told of the subject: journey, stage, …',
    natural_key String COMMENT 'which one of the kind',
    version UInt256 COMMENT 'of events of one kind and key the highest holds',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the cause',
    emitted_at DateTime64(3, 'UTC') COMMENT 'when it was told',
    account_id String COMMENT 'account',
    account_name String COMMENT 'its name then',
    account_keys Array(String) COMMENT 'its keys then, kind:value',
    stage LowCardinality(String) COMMENT 'its stage then',
    journey_id String COMMENT 'its journey then',
    contact_id String COMMENT 'contact, where one is meant',
    contact_identifiers Array(String) COMMENT 'its identifiers as consent allows, kind:value',
    caused_by Array(String) COMMENT 'ids of the events that caused it',
    details Map(LowCardinality(String), String) COMMENT 'details; what is no text stands as JSON',
    corrects String COMMENT 'id of the event that it corrects, else empty',
    retracted Bool COMMENT 'true: the fact no longer holds',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, subject, id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Journal: every journey event once';

CREATE TABLE IF NOT EXISTS journey_facts (
    tenant LowCardinality(String) COMMENT 'tenant',
    subject String COMMENT 'account or contact id',
    kind LowCardinality(String) COMMENT 'what is told of the subject',
    natural_key String COMMENT 'which one of the kind',
    version UInt256 COMMENT 'the highest holds',
    id String COMMENT 'the event that holds',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the cause',
    contact_id String COMMENT 'contact, where one is meant',
    caused_by Array(String) COMMENT 'ids of the events that caused it',
    details Map(LowCardinality(String), String) COMMENT 'details',
    corrects String COMMENT 'id of the event that it corrects, else empty',
    retracted Bool COMMENT 'true: the fact no longer holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, subject, kind, natural_key)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Journey events folded: the last word on every fact';

CREATE MATERIALIZED VIEW IF NOT EXISTS journey_facts_of_events TO journey_facts AS
SELECT
    tenant, subject, kind, natural_key, version, id, occurred_at, contact_id, caused_by, details, corrects, retracted
FROM journey_events;

CREATE TABLE IF NOT EXISTS accounts (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account id',
    version UInt256 COMMENT 'the highest holds',
    kind LowCardinality(String) COMMENT 'organisation or person',
    name String COMMENT 'name',
    keys Array(String) COMMENT 'account keys, kind:value',
    crm_account_id String COMMENT 'id in the CRM',
    stage LowCardinality(String) COMMENT 'furthest stage of the journey',
    stage_since Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was entered',
    journey_id String COMMENT 'journey',
    members Array(Tuple(
        contact_id String,
        name String,
        identifiers Array(String),
        valid_from Nullable(DateTime64(3, 'UTC')),
        valid_to Nullable(DateTime64(3, 'UTC')),
        first_touch Nullable(DateTime64(3, 'UTC')),
        last_touch Nullable(DateTime64(3, 'UTC')),
        touches UInt64,
        stage String,
        lag_days Nullable(Float64))) COMMENT 'contacts, one per period of employment',
    touches UInt64 COMMENT 'touches of all members and of the firm without a person',
    first_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'first touch by a person',
    last_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch by a person',
    industry String COMMENT 'industry',
    employees Nullable(Int64) COMMENT 'number of employees',
    country LowCardinality(String) COMMENT 'country',
    dense Bool COMMENT 'true: touch counts are lower bounds',
    gone Bool COMMENT 'true: nothing belongs to this account any more',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, account_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Account profiles with their members: one row holds all, so whoever left is gone with the next row';

CREATE TABLE IF NOT EXISTS dead_letters (
    generation UInt64 COMMENT 'generation of the broker''s data',
    topic LowCardinality(String) COMMENT 'topic of the refused record',
    partition UInt32 COMMENT 'its partition',
    offset Int64 COMMENT 'its offset; negative: no record is to blame, it stands for the account',
    at DateTime64(3, 'UTC') COMMENT 'when it was refused',
    reason LowCardinality(String) COMMENT 'reason',
    field String COMMENT 'field that is to blame',
    error String COMMENT 'what is wrong with it',
    original String DEFAULT base64Decode(original_base64) COMMENT 'the bytes that came, or their beginning',
    original_base64 String EPHEMERAL COMMENT 'how they are inserted: JSON carries no bytes',
    size UInt64 COMMENT 'bytes that came'
)
ENGINE = ReplacingMergeTree
ORDER BY (generation, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Refused records';
