-- What sales was sent, what is known of firms and people, and how good what the sources tell is.

CREATE TABLE IF NOT EXISTS handoff_messages (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    id String COMMENT 'hash of what is told: a repeated message has the same',
    version UInt256 COMMENT 'of messages about one hand-off the highest holds',
    type LowCardinality(String) COMMENT 'handoff_made, handoff_updated or handoff_withdrawn',
    handoff_id String COMMENT 'hand-off',
    attempt UInt32 COMMENT 'which hand-off of the journey it is',
    status LowCardinality(String) COMMENT 'its status then',
    stage LowCardinality(String) COMMENT 'stage of the journey then',
    score Float64 COMMENT 'engagement when the hand-off was made',
    reason_codes Array(LowCardinality(String)) COMMENT 'why, as codes',
    members UInt32 COMMENT 'members that were listed',
    roles_missing Array(String) COMMENT 'roles that were missing',
    interests Array(String) COMMENT 'topics',
    assigned_to String COMMENT 'who of us looks after the account; empty: nobody',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the hand-off',
    emitted_at DateTime64(3, 'UTC') COMMENT 'when it was sent',
    feedback_due Nullable(DateTime64(3, 'UTC')) COMMENT 'when an outcome is expected',
    corrects String COMMENT 'id of the message that it corrects, else empty',
    retracted Bool COMMENT 'true: the hand-off does not hold any more',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, account_id, id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Journal: every message to sales once, without anything that tells of people';

CREATE OR REPLACE VIEW v_handoff_messages (
    tenant LowCardinality(String) COMMENT 'tenant',
    id String COMMENT 'id of the message',
    type LowCardinality(String) COMMENT 'handoff_made, handoff_updated or handoff_withdrawn',
    handoff_id String COMMENT 'hand-off; of an account that is part of another now, under its former id',
    account_id String COMMENT 'account that told it',
    attempt UInt32 COMMENT 'which hand-off of the journey it is',
    status LowCardinality(String) COMMENT 'its status then',
    stage LowCardinality(String) COMMENT 'stage of the journey then; empty: not told',
    score Float64 COMMENT 'engagement when the hand-off was made',
    reason_codes Array(LowCardinality(String)) COMMENT 'why: demo_requested, quote_requested, call_requested, group_ready and more',
    members UInt32 COMMENT 'members that were listed',
    roles_missing Array(String) COMMENT 'roles that were missing',
    interests Array(String) COMMENT 'topics, the most touched first',
    assigned_to String COMMENT 'who of us looks after the account; empty: nobody',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the hand-off',
    emitted_at DateTime64(3, 'UTC') COMMENT 'when it was sent',
    feedback_due Nullable(DateTime64(3, 'UTC')) COMMENT 'when an outcome is expected; null: none',
    corrects String COMMENT 'id of the message that it corrects; empty: none',
    retracted Bool COMMENT 'true: the hand-off does not hold any more',
    version UInt256 COMMENT 'of messages about one hand-off the highest holds',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
) AS
SELECT
    tenant, id, type, handoff_id, account_id, attempt, status, stage, score, reason_codes, members, roles_missing,
    interests, assigned_to, occurred_at, emitted_at, feedback_due, corrects, retracted, version, definition_version
FROM handoff_messages FINAL
COMMENT 'One row per message ever sent to sales, without what it told of people';

-- The latest word of each source on each attribute of a contact or firm, in each account. Not for analysts: it
-- shows everything.
CREATE OR REPLACE VIEW told_facts AS
SELECT
    tenant,
    account_id,
    entity,
    about,
    attribute,
    source,
    argMax(if(JSONType(raw) = 'String', JSONExtractString(raw), raw), (occurred_at, raw)) AS value,
    max(occurred_at) AS observed_at,
    min(rank) AS trust
FROM (
    SELECT
        tenant, account_id, source, rank, occurred_at,
        fact.1 AS about, fact.2 AS attribute, fact.3 AS raw, if(about = 'contact', contact_id, account_id) AS entity
    FROM (
        SELECT
            tenant, account_id, contact_id, source, rank, occurred_at,
            arrayJoin(arrayConcat(
                arrayMap(f -> ('contact', f.1, f.2), JSONExtractKeysAndValuesRaw(contact_facts)),
                arrayMap(f -> ('account', f.1, f.2), JSONExtractKeysAndValuesRaw(organisation_facts))
            )) AS fact
        FROM stitched
        WHERE contact_facts != '' OR organisation_facts != ''
    )
    WHERE raw NOT IN ('null', '""') AND entity != ''
)
GROUP BY tenant, account_id, entity, about, attribute, source;

CREATE OR REPLACE VIEW v_profile_facts (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account; of a fact about a contact, the one in which it was told',
    entity String COMMENT 'what it is about: account id or contact id',
    about LowCardinality(String) COMMENT 'account or contact',
    attribute String COMMENT 'attribute',
    value String COMMENT 'value; of a fact that is used, in one spelling, else as it was told',
    source String COMMENT 'system that told it',
    observed_at DateTime64(3, 'UTC') COMMENT 'when it was observed, event time',
    confidence Float64 COMMENT 'how sure it is, up to 1',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'end of its shelf life; null: for ever',
    expired Bool COMMENT 'true: its shelf life is over, so it is not used',
    used Bool COMMENT 'true: this is the value that counts; false: expired, or contradicted by one that does'
) AS
WITH kept AS (
    SELECT
        tenant, account_id, fact.entity AS entity, if(entity = account_id, 'account', 'contact') AS about,
        fact.attribute AS attribute, fact.value AS value, fact.source AS source, fact.observed_at AS observed_at,
        fact.confidence AS confidence, fact.expires_at AS expires_at
    FROM (SELECT tenant, account_id, arrayJoin(facts) AS fact FROM accounts FINAL WHERE NOT gone)
)
SELECT
    tenant, account_id, entity, about, attribute, value, source, observed_at, confidence, expires_at,
    CAST(ifNull(expires_at < now64(3, 'UTC'), false), 'Bool') AS expired,
    NOT expired AS used
FROM kept
UNION ALL
SELECT
    tenant, account_id, entity, about, attribute, told.value AS value, told.source AS source,
    told.observed_at AS observed_at,
    multiIf(trust = 0, 1.0, trust < 3, 0.9, 0.7) AS confidence,
    told.observed_at + toIntervalMillisecond(dateDiff('millisecond', kept.observed_at, kept.expires_at)) AS expires_at,
    CAST(ifNull(expires_at < now64(3, 'UTC'), false), 'Bool') AS expired,
    false AS used
FROM told_facts AS told
INNER JOIN kept USING (tenant, account_id, entity, attribute)
-- Another spelling of the same says nothing else.
WHERE (told.source, told.observed_at) != (kept.source, kept.observed_at)
    AND lower(replaceRegexpAll(told.value, '[^\\pL\\pN]', '')) != lower(replaceRegexpAll(kept.value, '[^\\pL\\pN]', ''))
    AND ifNull(toFloat64OrNull(told.value) != toFloat64OrNull(kept.value), true)
SETTINGS join_use_nulls = 0
COMMENT 'One row per attribute of an account or a contact that is known, and per source that says otherwise';

CREATE OR REPLACE VIEW v_data_quality (
    tenant LowCardinality(String) COMMENT 'tenant',
    source String COMMENT 'system that told it; empty: of no single one',
    problem LowCardinality(String) COMMENT 'incomplete, stale, contradicting, non_standard, judgement_based, without_topic, unattributed, anonymous, in_two_accounts or unconverted',
    count UInt64 COMMENT 'how many have it',
    total UInt64 COMMENT 'of how many',
    share Float64 COMMENT 'count ÷ total'
) AS
WITH
    facts AS (SELECT * FROM v_profile_facts),
    kept AS (
        SELECT
            tenant, account_id, fact.entity AS entity, fact.attribute AS attribute, fact.value AS value,
            fact.source AS source, fact.observed_at AS observed_at
        FROM (SELECT tenant, account_id, arrayJoin(facts) AS fact FROM accounts FINAL WHERE NOT gone)
    ),
    touches AS (
        SELECT tenant, source, actor, topic, identifier, contact_id, account_id FROM stitched
        WHERE type NOT IN ('identified', 'profile_updated', 'consent_given', 'consent_withdrawn')
    ),
    found AS (
        -- What should be known of everybody that a source tells facts of.
        SELECT tenant, source, 'incomplete' AS problem, sum(missing) AS count, sum(basic) AS total
        FROM (
            SELECT
                tenant, source, entity,
                if(any(about) = 'contact', ['name', 'job_title'], ['name', 'industry', 'employees']) AS wanted,
                length(wanted) AS basic,
                length(arrayFilter(w -> NOT has(groupArray(attribute), w), wanted)) AS missing
            FROM told_facts GROUP BY tenant, source, entity
        )
        GROUP BY tenant, source
        UNION ALL
        SELECT
            tenant, source, problem,
            sum(multiIf(
                problem = 'stale', expired,
                problem = 'contradicting', NOT used AND NOT expired,
                attribute IN ('intention', 'timing', 'budget', 'requirements', 'competitors', 'satisfaction',
                    'decision_process', 'role', 'seniority'))) AS count,
            count() AS total
        FROM (SELECT *, arrayJoin(['stale', 'contradicting', 'judgement_based']) AS problem FROM facts)
        GROUP BY tenant, source, problem
        UNION ALL
        -- Told otherwise than it is kept, or so that nothing could be made of it.
        SELECT
            tenant, source, 'non_standard' AS problem,
            countIf(kept.source = '' OR (told.source = kept.source AND told.observed_at = kept.observed_at
                AND told.value != kept.value)) AS count,
            count() AS total
        FROM (SELECT * FROM told_facts WHERE (tenant, account_id, entity) IN (SELECT tenant, account_id, entity FROM kept)) AS told
        LEFT ANY JOIN kept USING (tenant, account_id, entity, attribute)
        GROUP BY tenant, source
        UNION ALL
        SELECT
            tenant, source, problem,
            sum(multiIf(
                problem = 'without_topic', topic = '',
                problem = 'unattributed', identifier = '',
                contact_id = '' AND account_id = '' AND identifier != '')) AS count,
            count() AS total
        FROM (SELECT *, arrayJoin(['without_topic', 'unattributed', 'anonymous']) AS problem FROM touches)
        WHERE problem != 'without_topic' OR actor = 'person'
        GROUP BY tenant, source, problem
        UNION ALL
        -- An event of which copies lie in two accounts is counted by each of them, and by v_touchpoints once.
        SELECT tenant, '' AS source, 'in_two_accounts' AS problem, sum(greatest(counted - there, 0)) AS count, sum(there) AS total
        FROM (SELECT tenant, account_id, toInt64(touches) AS counted FROM accounts FINAL WHERE NOT gone AND NOT dense) AS told
        LEFT ANY JOIN (
            SELECT tenant, account_id, toInt64(count()) AS there FROM touches GROUP BY tenant, account_id
        ) AS seen USING (tenant, account_id)
        GROUP BY tenant
        UNION ALL
        SELECT tenant, '' AS source, 'unconverted' AS problem, countIf(notEmpty(unconverted)) AS count, countIf(orders > 0) AS total
        FROM accounts FINAL WHERE NOT gone
        GROUP BY tenant
    )
SELECT tenant, source, problem, count, total, if(total = 0, 0, round(count / total, 4)) AS share
FROM found
SETTINGS join_use_nulls = 0
COMMENT 'One row per source and problem: how much of what it tells has it';
