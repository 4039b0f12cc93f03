-- Views of the buying group: everything is read from the one row that holds the account.

CREATE OR REPLACE VIEW v_contacts (
    tenant LowCardinality(String) COMMENT 'tenant',
    contact_id String COMMENT 'our id of the contact',
    crm_contact_id String COMMENT 'id in the CRM; empty: none',
    name String COMMENT 'name as told by the highest-ranked source, of these the latest; empty: never told',
    email String COMMENT 'the e-mail address on the latest touch that has one; empty: none',
    identifiers Array(String) COMMENT 'strong identifiers, kind:value',
    devices Array(String) COMMENT 'weak identifiers that belong to the contact at some time, kind:value',
    first_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'first touch by the person; null: none',
    last_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch by the person; null: none',
    touches UInt64 COMMENT 'touches, those by us and by machines too; messages with nothing but facts not counted',
    status LowCardinality(String) COMMENT 'active, quiet, silent or unknown, in the account that the contact is in now; of several the liveliest',
    p_active Nullable(Float64) COMMENT 'probability of a touch in the next 30 days, when that status began; null: unknown',
    reachable Bool COMMENT 'true: may be approached by e-mail or phone',
    reach String COMMENT 'why, or why not',
    job_title String COMMENT 'job title as told by the highest-ranked source, of these the latest; empty: never told',
    consent Map(LowCardinality(String), Bool) COMMENT 'purpose to true or false: false where the latest word on one of its identifiers is a refusal; missing: never told'
) AS
WITH
    owned AS (
        SELECT
            tenant,
            identifier,
            arrayJoin(arrayDistinct(span_contact)) AS contact_id,
            splitByChar(':', identifier)[1] IN ('contact_id', 'user_id', 'email') AS strong
        FROM identity_map FINAL
        WHERE contact_id != '' AND splitByChar(':', identifier)[1] IN
            ('contact_id', 'user_id', 'email', 'phone', 'anonymous_id', 'device_id')
    ),
    contacts AS (
        SELECT
            tenant,
            contact_id,
            arraySort(groupArrayIf(identifier, strong)) AS identifiers,
            arraySort(groupArrayIf(identifier, NOT strong)) AS devices
        FROM owned
        GROUP BY tenant, contact_id
    ),
    touched AS (
        SELECT
            tenant,
            contact_id,
            occurred_at,
            rank,
            contact_name,
            job_title,
            type NOT IN ('identified', 'profile_updated', 'consent_given', 'consent_withdrawn') AS touch,
            touch AND actor = 'person' AS own,
            arrayFirst(i -> startsWith(i, 'email:'), strong) AS address
        FROM stitched
        WHERE contact_id != ''
    ),
    seen AS (
        SELECT
            tenant,
            contact_id,
            minOrNullIf(occurred_at, own) AS first_seen,
            maxOrNullIf(occurred_at, own) AS last_seen,
            countIf(touch) AS touches,
            argMinIf(contact_name, (rank, -toUnixTimestamp64Milli(occurred_at), contact_name), contact_name != '') AS name,
            argMinIf(job_title, (rank, -toUnixTimestamp64Milli(occurred_at), job_title), job_title != '') AS title,
            maxMapIf(map(address, occurred_at), address != '') AS addresses
        FROM touched
        GROUP BY tenant, contact_id
    ),
    -- The latest word of each identifier; of equal times the refusal.
    words AS (
        SELECT tenant, contact_id, identifier, purpose, argMax(given, (occurred_at, NOT given)) AS yes
        FROM (
            SELECT tenant, contact_id, identifier, occurred_at, consent FROM stitched
            WHERE contact_id != '' AND notEmpty(consent)
        )
        ARRAY JOIN mapKeys(consent) AS purpose, mapValues(consent) AS given
        GROUP BY tenant, contact_id, identifier, purpose
    ),
    consents AS (
        SELECT
            tenant, contact_id,
            CAST(arraySort(groupArray((purpose, yes))), 'Map(LowCardinality(String), Bool)') AS given
        FROM (SELECT tenant, contact_id, purpose, min(yes) AS yes FROM words GROUP BY tenant, contact_id, purpose)
        GROUP BY tenant, contact_id
    ),
    -- Of the periods in accounts those that are open, else the past ones; of these the liveliest.
    belonging AS (
        SELECT
            tenant,
            member.contact_id AS contact_id,
            argMin(
                tuple(member.status, member.p_active, member.reachable, member.reach),
                (
                    member.valid_to IS NOT NULL,
                    indexOf(['active', 'quiet', 'silent'], member.status) = 0,
                    indexOf(['active', 'quiet', 'silent'], member.status),
                    account_id
                )
            ) AS now
        FROM (SELECT tenant, account_id, arrayJoin(members) AS member FROM accounts FINAL WHERE NOT gone)
        GROUP BY tenant, contact_id
    )
SELECT
    tenant,
    contact_id,
    substring(arrayFirst(i -> startsWith(i, 'contact_id:'), identifiers), 12) AS crm_contact_id,
    name,
    substring(arrayReverseSort(i -> addresses[i], arrayFilter(i -> startsWith(i, 'email:'), identifiers))[1], 7) AS email,
    identifiers,
    devices,
    first_seen,
    last_seen,
    touches,
    if(now.1 = '', 'unknown', now.1) AS status,
    now.2 AS p_active,
    now.3 AS reachable,
    now.4 AS reach,
    title AS job_title,
    given AS consent
FROM contacts
LEFT ANY JOIN seen USING (tenant, contact_id)
LEFT ANY JOIN consents USING (tenant, contact_id)
LEFT ANY JOIN belonging USING (tenant, contact_id)
SETTINGS join_use_nulls = 0
COMMENT 'One row per contact';

CREATE OR REPLACE VIEW v_members (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    contact_id String COMMENT 'contact',
    name String COMMENT 'its name; empty: never told',
    job_title String COMMENT 'its job title, as told while here; empty: never told',
    identifiers Array(String) COMMENT 'its identifiers in this account, kind:value',
    valid_from Nullable(DateTime64(3, 'UTC')) COMMENT 'begin of the period in the account; null: since ever',
    valid_to Nullable(DateTime64(3, 'UTC')) COMMENT 'its end; null: open',
    roles Array(String) COMMENT 'its roles in the buying group: initiator, user, influencer, decider, buyer, gatekeeper',
    role_source LowCardinality(String) COMMENT 'what the best known of them rests on: command, crm, title or behaviour; empty: no role',
    role_confidence Nullable(Float64) COMMENT 'how sure that one is, up to 1; null: no role',
    evidence Map(String, String) COMMENT 'role to what it rests on, in words',
    first_touch Nullable(DateTime64(3, 'UTC')) COMMENT 'first touch in the period; null: none',
    last_touch Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch in the period; null: none',
    touches UInt64 COMMENT 'touches in the period',
    stage LowCardinality(String) COMMENT 'stage of the contact by its own touches; empty: none yet',
    lag_days Nullable(Float64) COMMENT 'days from the first touch of the account''s first member to the first of this one',
    engagement Float64 COMMENT 'its part of the account''s engagement, as of today',
    status LowCardinality(String) COMMENT 'active, quiet, silent or unknown, against its own rhythm',
    p_active Nullable(Float64) COMMENT 'probability of a touch in the next 30 days, when that status began; null: unknown',
    reachable Bool COMMENT 'true: may be approached by e-mail or phone',
    reach String COMMENT 'why, or why not',
    steps Array(String) COMMENT 'its last steps in the journey, the latest first',
    consent Map(String, Bool) COMMENT 'purpose to true or false: false where the latest word on one of its identifiers is a refusal; missing: never told'
) AS
SELECT
    tenant,
    account_id,
    member.contact_id AS contact_id,
    member.name AS name,
    member.job_title AS job_title,
    member.identifiers AS identifiers,
    member.valid_from AS valid_from,
    member.valid_to AS valid_to,
    arrayMap(r -> r.role, member.roles) AS roles,
    member.roles[1].source AS role_source,
    if(empty(member.roles), NULL, member.roles[1].confidence) AS role_confidence,
    mapFromArrays(roles, arrayMap(r -> r.evidence, member.roles)) AS evidence,
    member.first_touch AS first_touch,
    member.last_touch AS last_touch,
    member.touches AS touches,
    member.stage AS stage,
    member.lag_days AS lag_days,
    round(member.engagement * decay, 2) AS engagement,
    member.status AS status,
    member.p_active AS p_active,
    member.reachable AS reachable,
    member.reach AS reach,
    member.steps AS steps,
    member.consent AS consent
FROM (
    SELECT
        tenant, account_id, arrayJoin(members) AS member,
        pow(0.5, greatest(dateDiff('day', ifNull(engagement_at, now64(3, 'UTC')), now64(3, 'UTC')), 0) / half_life_days) AS decay
    FROM accounts FINAL
    WHERE NOT gone
)
COMMENT 'One row per contact in an account and period';

CREATE OR REPLACE VIEW v_accounts (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'our id of the account',
    kind LowCardinality(String) COMMENT 'organisation, or person: a contact without a firm',
    name String COMMENT 'name as told by the highest-ranked source; of a person, the person''s; empty: never told',
    keys Array(String) COMMENT 'account keys, kind:value',
    crm_account_id String COMMENT 'id in the CRM; empty: none',
    stage LowCardinality(String) COMMENT 'furthest stage of the journey; empty: none yet',
    stage_since Nullable(DateTime64(3, 'UTC')) COMMENT 'when that stage was entered; null: none yet',
    journey_id String COMMENT 'the latest journey; empty: none yet',
    members UInt64 COMMENT 'contacts that are in the account now',
    roles_found Array(String) COMMENT 'roles that the stage asks for and somebody has',
    roles_missing Array(String) COMMENT 'roles that the stage asks for and nobody has',
    role_completeness Float64 COMMENT 'roles found ÷ roles that the stage asks for; 1 where it asks for none',
    engagement Float64 COMMENT 'engagement as of today: it halves every half_life_days without touches',
    engagement_at Nullable(DateTime64(3, 'UTC')) COMMENT 'day as of which it was counted; null: no touch counts',
    half_life_days Float64 COMMENT 'days in which engagement halves',
    status LowCardinality(String) COMMENT 'active, quiet, silent or unknown, against the account''s own rhythm',
    p_active Nullable(Float64) COMMENT 'probability of a touch in the next 30 days, when that status began; null: unknown',
    reachable Bool COMMENT 'true: somebody of it may be approached',
    segments Map(LowCardinality(String), String) COMMENT 'kind of segment to segment',
    orders UInt64 COMMENT 'orders that are not cancelled',
    revenue Decimal(38, 6) COMMENT 'net orders minus returns and cancellations, in the reporting currency',
    currency LowCardinality(String) COMMENT 'the reporting currency; empty: no order',
    aov Nullable(Float64) COMMENT 'mean value of an order in the reporting currency; null: none',
    return_rate Nullable(Float64) COMMENT 'orders with a return ÷ orders; null: no order',
    order_frequency Nullable(Float64) COMMENT 'orders a year, from the first to the last; null: fewer than two',
    unconverted Map(String, Decimal(38, 6)) COMMENT 'revenue in currencies without a rate: shown, and never added',
    product_families Array(String) COMMENT 'product families ordered',
    industry String COMMENT 'industry; empty: never told',
    employees Nullable(Int64) COMMENT 'number of employees; null: never told',
    country LowCardinality(String) COMMENT 'country; empty: never told',
    owner String COMMENT 'who of us looks after it; empty: nobody',
    interests Array(String) COMMENT 'topics of the latest journey, the most touched first',
    contact_points Array(String) COMMENT 'role mailboxes, which are nobody''s own',
    next_question Tuple(attribute String, text String, why String) COMMENT 'the missing fact that is best asked now; empty: none',
    next_best_action Tuple(to String, name String, channel String, message String, when String, why String) COMMENT 'what to do next; to is a contact, empty: the account; all empty: nothing',
    dense Bool COMMENT 'true: an identifier has so many touches that counts are lower bounds',
    first_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'first touch by a person; null: none',
    last_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch by a person; null: none',
    touches UInt64 COMMENT 'touches of all members and of the firm without a person',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition',
    parent_account_id String COMMENT 'account that it is a subsidiary of, as people said last; empty: none'
) AS
SELECT
    tenant, account_id, kind, name, keys, crm_account_id, stage, stage_since, journey_id,
    arrayUniq(arrayMap(m -> m.contact_id, arrayFilter(m -> m.valid_to IS NULL, accounts.members))) AS members,
    roles_found, roles_missing, role_completeness,
    round(
        accounts.engagement * pow(0.5, greatest(dateDiff('day', ifNull(engagement_at, now64(3, 'UTC')), now64(3, 'UTC')), 0) / half_life_days),
        2) AS engagement,
    engagement_at, half_life_days, status, p_active,
    CAST(arrayExists(m -> m.reachable AND m.valid_to IS NULL, accounts.members), 'Bool') AS reachable,
    segments, orders, revenue, currency, aov, return_rate, order_frequency, unconverted, product_families,
    industry, employees, country, owner, interests, contact_points, next_question, next_best_action,
    dense, first_seen, last_seen, touches, definition_version, parent_account_id
FROM accounts FINAL
LEFT ANY JOIN (
    SELECT tenant, child.account_id AS account_id, argMax(parent.account_id, (said_at, event_id)) AS parent_account_id
    FROM assertions FINAL
    INNER JOIN resolved AS child ON child.tenant = assertions.tenant AND child.identifier = assertions.a
    INNER JOIN resolved AS parent ON parent.tenant = assertions.tenant AND parent.identifier = assertions.b
    WHERE assertion = 'parent' AND child.account_id != '' AND parent.account_id NOT IN ('', child.account_id)
    GROUP BY tenant, account_id
) AS lineage USING (tenant, account_id)
WHERE NOT gone
SETTINGS join_use_nulls = 0
COMMENT 'One row per account (buying group)';

CREATE OR REPLACE VIEW v_journeys (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'account id and number in event time, account_id.n',
    opened_at DateTime64(3, 'UTC') COMMENT 'first touch of the journey',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it ended; null: open',
    closed_by LowCardinality(String) COMMENT 'gap, won, lost or command; empty: open',
    stage LowCardinality(String) COMMENT 'furthest stage entered in it; empty: none',
    last_touch Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch that prolonged it; null: not told',
    moments Map(String, DateTime64(3, 'UTC')) COMMENT 'crucial moments, each with its time'
) AS
SELECT
    tenant,
    account_id,
    concat(account_id, '.', toString(journey.number)) AS journey_id,
    journey.opened_at AS opened_at,
    journey.closed_at AS closed_at,
    journey.closed_by AS closed_by,
    journey.stages[-1].stage AS stage,
    journey.last_touch AS last_touch,
    journey.moments AS moments
FROM (SELECT tenant, account_id, arrayJoin(journeys) AS journey FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per journey of an account';

CREATE OR REPLACE VIEW v_stage_transitions (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'journey',
    from_stage LowCardinality(String) COMMENT 'stage entered before it in the journey; empty: none',
    to_stage LowCardinality(String) COMMENT 'stage entered',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the touch that completed the clause',
    caused_by Array(String) COMMENT 'ids of the events that completed it',
    corrected Bool COMMENT 'true: the transition was first told otherwise'
) AS
SELECT
    tenant,
    account_id,
    concat(account_id, '.', toString(journey.number)) AS journey_id,
    journey.stages[place - 1].stage AS from_stage,
    journey.stages[place].stage AS to_stage,
    journey.stages[place].entered_at AS occurred_at,
    journey.stages[place].caused_by AS caused_by,
    journey.stages[place].corrected AS corrected
FROM (
    SELECT tenant, account_id, journey, arrayJoin(arrayEnumerate(journey.stages)) AS place
    FROM (SELECT tenant, account_id, arrayJoin(journeys) AS journey FROM accounts FINAL WHERE NOT gone)
)
COMMENT 'One row per stage entered in a journey, as it now holds';

CREATE OR REPLACE VIEW v_crossings (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'journey',
    type LowCardinality(String) COMMENT 'touchpoint type of the step',
    topic String COMMENT 'topic of the step',
    occurred_at DateTime64(3, 'UTC') COMMENT 'when the second of them took it',
    contacts Array(String) COMMENT 'contact ids of all who took it, in order of their first time'
) AS
SELECT
    tenant,
    account_id,
    concat(account_id, '.', toString(crossing.journey)) AS journey_id,
    crossing.type AS type,
    crossing.topic AS topic,
    crossing.at AS occurred_at,
    crossing.contacts AS contacts
FROM (SELECT tenant, account_id, arrayJoin(crossings) AS crossing FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per step that two or more members shared in one journey';

CREATE OR REPLACE VIEW v_handoffs (
    tenant LowCardinality(String) COMMENT 'tenant',
    handoff_id String COMMENT 'journey id and number of the attempt, account_id.n.attempt',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'journey',
    attempt UInt32 COMMENT 'which hand-off of the journey it is, in event time',
    at DateTime64(3, 'UTC') COMMENT 'event time of what made it',
    score Float64 COMMENT 'engagement then',
    reasons Array(String) COMMENT 'why, in words',
    call_first Tuple(contact String, name String, phone String, email String, why String) COMMENT 'whom to approach first; contact data as consent allows; empty: nobody is known who may be approached',
    status LowCardinality(String) COMMENT 'open, accepted, working, won, lost, rejected, recycled, expired; withdrawn: it does not hold any more',
    outcome LowCardinality(String) COMMENT 'the last valid word of sales; empty: none yet',
    outcome_reason String COMMENT 'its reason, in words',
    outcome_code LowCardinality(String) COMMENT 'its reason, one of a list; empty: none told',
    outcome_at Nullable(DateTime64(3, 'UTC')) COMMENT 'its event time; null: none yet',
    outcome_by String COMMENT 'who said it',
    value Nullable(Decimal(38, 6)) COMMENT 'value that sales told, in the currency; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217; empty: none told',
    responded_at Nullable(DateTime64(3, 'UTC')) COMMENT 'event time of the first outcome; null: none yet',
    hours_to_first_response Nullable(Float64) COMMENT 'hours from the hand-off to the first outcome; null: none yet',
    feedback_due Nullable(DateTime64(3, 'UTC')) COMMENT 'when an outcome is expected; null: withdrawn'
) AS
SELECT
    tenant,
    handoff.handoff_id AS handoff_id,
    account_id,
    concat(account_id, '.', toString(handoff.journey)) AS journey_id,
    handoff.attempt AS attempt,
    handoff.at AS at,
    handoff.score AS score,
    handoff.reasons AS reasons,
    handoff.call_first AS call_first,
    handoff.status AS status,
    handoff.outcome AS outcome,
    handoff.outcome_reason AS outcome_reason,
    handoff.outcome_code AS outcome_code,
    handoff.outcome_at AS outcome_at,
    handoff.outcome_by AS outcome_by,
    handoff.value AS value,
    handoff.currency AS currency,
    handoff.responded_at AS responded_at,
    round(dateDiff('millisecond', at, responded_at) / 3600000, 2) AS hours_to_first_response,
    handoff.feedback_due AS feedback_due
FROM (SELECT tenant, account_id, arrayJoin(handoffs) AS handoff FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per hand-off to sales, as it now stands';

CREATE OR REPLACE VIEW v_inactivity (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    contact_id String COMMENT 'member that is silent; empty: the account',
    level LowCardinality(String) COMMENT 'quiet or silent',
    since DateTime64(3, 'UTC') COMMENT 'alarm time: when that level was reached',
    last_touch DateTime64(3, 'UTC') COMMENT 'last touch before it',
    expected_gap_days Float64 COMMENT 'days without a touch beyond which it is a silence of that level',
    p_active Float64 COMMENT 'at the alarm: probability of a touch in the next 30 days',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'the next touch; null: it lasts'
) AS
SELECT
    tenant,
    account_id,
    silence.contact_id AS contact_id,
    silence.level AS level,
    silence.since AS since,
    silence.last_touch AS last_touch,
    silence.expected_gap_days AS expected_gap_days,
    silence.p_active AS p_active,
    silence.ended_at AS ended_at
FROM (SELECT tenant, account_id, arrayJoin(silences) AS silence FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per spell of a level of silence, of an account or a member';

CREATE OR REPLACE VIEW v_score_parts (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    day Date COMMENT 'day, of the tenant''s time zone',
    contact_id String COMMENT 'who earned the points; empty: somebody of the firm who is not known',
    points Float64 COMMENT 'points of that day, at most 40',
    weight Float64 COMMENT 'weight of the person''s highest role',
    worth Float64 COMMENT 'what they add to the engagement as of today',
    types Map(String, UInt32) COMMENT 'touchpoint type to touches'
) AS
SELECT
    tenant,
    account_id,
    part.day AS day,
    part.contact_id AS contact_id,
    part.points AS points,
    part.weight AS weight,
    round(points * weight * pow(0.5, greatest(dateDiff('day', day, toDate(now64(3, 'UTC'))), 0) / half_life_days), 2) AS worth,
    part.types AS types
FROM (SELECT tenant, account_id, half_life_days, arrayJoin(score_parts) AS part FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per person and day that engagement is made of';

CREATE OR REPLACE VIEW v_orders (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    order_key String COMMENT 'namespace and number of the order',
    at DateTime64(3, 'UTC') COMMENT 'when it was placed',
    value Nullable(Decimal(38, 6)) COMMENT 'net value in the currency, as the highest-ranked source tells it; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217; empty: none told',
    returned Nullable(Decimal(38, 6)) COMMENT 'net value of what came back; null: nothing did',
    cancelled Bool COMMENT 'true: it was cancelled',
    product_families Array(String) COMMENT 'product families of its lines'
) AS
SELECT
    tenant,
    account_id,
    placed.order AS order_key,
    placed.at AS at,
    placed.value AS value,
    placed.currency AS currency,
    placed.returned AS returned,
    placed.cancelled AS cancelled,
    placed.families AS product_families
FROM (SELECT tenant, account_id, arrayJoin(order_list) AS placed FROM accounts FINAL WHERE NOT gone)
COMMENT 'One row per order, as all its sources together tell it';
