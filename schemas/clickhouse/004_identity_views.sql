-- Views again, now with people's statements, erasure, consent, places and journeys of accounts that became one.

-- See 002. Where no employment holds, the firm of the address on a touch goes before the contact's home, if that
-- address is the contact's own (`places`). Not for analysts: it shows everything.
CREATE OR REPLACE VIEW stitched AS
WITH placed AS (
    SELECT
        touchpoints.*, contact_name, job_title, contact_id,
        if(place != '' AND mapContains(places, place), places[place], employer) AS belongs
    FROM touchpoints FINAL
    ASOF LEFT JOIN (
        SELECT
            tenant, identifier, since AS occurred_at, contact_id, employer,
            if(free, places, CAST(map(), 'Map(String, String)')) AS places
        FROM identity_map FINAL
        ARRAY JOIN span_from AS since, span_contact AS contact_id, span_account AS employer, span_placed AS free
    ) AS span USING (tenant, identifier, occurred_at)
)
SELECT placed.*, if(account = '', belongs, named) AS account_id
FROM placed
LEFT ANY JOIN (
    SELECT tenant, identifier AS account, span_account[1] AS named
    FROM identity_map FINAL
    WHERE splitByChar(':', identifier)[1] IN ('account_id', 'customer_number', 'vat_number', 'domain')
) AS firm USING (tenant, account)
SETTINGS join_use_nulls = 0;

-- What an identifier, account key or id that we issued stands for now. Not for analysts.
CREATE OR REPLACE VIEW resolved AS
SELECT
    tenant,
    identifier,
    splitByChar(':', identifier)[1] AS identifier_kind,
    arrayFirst(c -> c != '', span_contact) AS contact_id,
    arrayLast(a -> a != '', span_account) AS account_id,
    identifier_kind IN
        ('account_id', 'customer_number', 'vat_number', 'domain', 'journeys_account_id') AS of_account
FROM identity_map FINAL;

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
    title AS job_title,
    given AS consent
FROM contacts
LEFT ANY JOIN seen USING (tenant, contact_id)
LEFT ANY JOIN consents USING (tenant, contact_id)
SETTINGS join_use_nulls = 0
COMMENT 'One row per contact';

CREATE OR REPLACE VIEW v_members (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    contact_id String COMMENT 'contact',
    name String COMMENT 'its name; empty: never told',
    identifiers Array(String) COMMENT 'its identifiers in this account, kind:value',
    valid_from Nullable(DateTime64(3, 'UTC')) COMMENT 'begin of the period in the account; null: since ever',
    valid_to Nullable(DateTime64(3, 'UTC')) COMMENT 'its end; null: open',
    first_touch Nullable(DateTime64(3, 'UTC')) COMMENT 'first touch in the period; null: none',
    last_touch Nullable(DateTime64(3, 'UTC')) COMMENT 'last touch in the period; null: none',
    touches UInt64 COMMENT 'touches in the period',
    stage LowCardinality(String) COMMENT 'stage of the contact by its own touches; empty: none yet',
    lag_days Nullable(Float64) COMMENT 'days from the first touch of the account''s first member to the first of this one',
    consent Map(String, Bool) COMMENT 'purpose to true or false: false where the latest word on one of its identifiers is a refusal; missing: never told'
) AS
SELECT
    tenant,
    account_id,
    member.contact_id AS contact_id,
    member.name AS name,
    member.identifiers AS identifiers,
    member.valid_from AS valid_from,
    member.valid_to AS valid_to,
    member.first_touch AS first_touch,
    member.last_touch AS last_touch,
    member.touches AS touches,
    member.stage AS stage,
    member.lag_days AS lag_days,
    member.consent AS consent
FROM (SELECT tenant, account_id, arrayJoin(members) AS member FROM accounts FINAL WHERE NOT gone)
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
    industry String COMMENT 'industry; empty: never told',
    employees Nullable(Int64) COMMENT 'number of employees; null: never told',
    country LowCardinality(String) COMMENT 'country; empty: never told',
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
    industry, employees, country, dense, first_seen, last_seen, touches, definition_version,
    parent_account_id
FROM accounts FINAL
LEFT ANY JOIN (
    SELECT tenant, child.account_id AS account_id, argMax(parent.account_id, (said_at, event_id)) AS parent_account_id
    FROM assertions FINAL
    INNER JOIN resolved AS child ON child.tenant = assertions.tenant AND child.identifier = assertions.a
    INNER JOIN resolved AS parent ON parent.tenant = assertions.tenant AND parent.identifier = assertions.b
    WHERE assertion = 'parent' AND child.account_id != parent.account_id
    GROUP BY tenant, account_id
) AS edge USING (tenant, account_id)
WHERE NOT gone
SETTINGS join_use_nulls = 0
COMMENT 'One row per account (buying group)';

CREATE OR REPLACE VIEW v_journeys (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'account id and number in event time, account_id.n',
    opened_at DateTime64(3, 'UTC') COMMENT 'first touch of the journey',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it ended; null: open',
    closed_by LowCardinality(String) COMMENT 'gap, won, lost or command; empty: open'
) AS
SELECT
    tenant,
    account_id,
    concat(account_id, '.', toString(journey.number)) AS journey_id,
    journey.opened_at AS opened_at,
    journey.closed_at AS closed_at,
    journey.closed_by AS closed_by
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
    lagInFrame(to_stage, 1, '') OVER (
        PARTITION BY tenant, journey_id
        ORDER BY occurred_at, indexOf(
            ['awareness', 'consideration', 'evaluation', 'purchase', 'experience', 'loyalty'], to_stage)
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS from_stage,
    entered.stage AS to_stage,
    entered.entered_at AS occurred_at,
    entered.caused_by AS caused_by,
    entered.corrected AS corrected
FROM (
    SELECT tenant, account_id, journey, arrayJoin(journey.stages) AS entered
    FROM (SELECT tenant, account_id, arrayJoin(journeys) AS journey FROM accounts FINAL WHERE NOT gone)
)
COMMENT 'One row per stage entered in a journey, as it now holds';

CREATE OR REPLACE VIEW v_identity_conflicts (
    tenant LowCardinality(String) COMMENT 'tenant',
    kind LowCardinality(String) COMMENT 'contact or account: of what the link would be',
    a String COMMENT 'identifier or account key, kind:value',
    b String COMMENT 'the other',
    source LowCardinality(String) COMMENT 'who said that they are the same; people: a person',
    said_at DateTime64(3, 'UTC') COMMENT 'earliest time at which it was said',
    state LowCardinality(String) COMMENT 'refused: a limit or a cannot_link; void: an unlink; inert: too many partners',
    why String COMMENT 'why it is not held, in words',
    a_id String COMMENT 'contact or account that a is in now; empty: none',
    b_id String COMMENT 'contact or account that b is in now; empty: none'
) AS
SELECT
    links.tenant AS tenant,
    if(splitByChar(':', a)[1] IN ('contact_id', 'user_id', 'email'), 'contact', 'account') AS kind,
    a, b, source, said_at, state, why,
    if(kind = 'account', one.account_id, one.contact_id) AS a_id,
    if(kind = 'account', other.account_id, other.contact_id) AS b_id
FROM (SELECT * FROM identity_links FINAL WHERE state != 'held') AS links
LEFT ANY JOIN resolved AS one ON one.tenant = links.tenant AND one.identifier = links.a
LEFT ANY JOIN resolved AS other ON other.tenant = links.tenant AND other.identifier = links.b
SETTINGS join_use_nulls = 0
COMMENT 'One row per link between identifiers that is not held';

CREATE OR REPLACE VIEW v_merge_candidates (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    name String COMMENT 'its name',
    other_account_id String COMMENT 'account that may be the same, the greater of the two ids',
    other_name String COMMENT 'its name',
    score Float64 COMMENT 'how alike the names are, up to 1: the same but for the legal form',
    why String COMMENT 'in words'
) AS
SELECT tenant, a AS account_id, a_name AS name, b AS other_account_id, b_name AS other_name, score, why
FROM merge_candidates FINAL
WHERE NOT gone
COMMENT 'One row per pair of accounts whose names are alike: for people to look at, and to link or keep apart';

CREATE OR REPLACE VIEW v_assertions (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the statement',
    assertion LowCardinality(String) COMMENT 'link, unlink, cannot_link, alias or parent',
    a String COMMENT 'what it is about, kind:value; of parent, the subsidiary; # and a hash: a person who is erased',
    b String COMMENT 'the other',
    said_at DateTime64(3, 'UTC') COMMENT 'event time',
    said_by String COMMENT 'who said it'
) AS
SELECT tenant, event_id, assertion, a, b, said_at, said_by
FROM assertions FINAL
COMMENT 'One row per statement of people about identities; of those about one pair the latest stands';

CREATE OR REPLACE VIEW v_aliases (
    tenant LowCardinality(String) COMMENT 'tenant',
    former_id String COMMENT 'contact or account id that was given out',
    kind LowCardinality(String) COMMENT 'contact or account',
    current_id String COMMENT 'what it stands for now; empty: nothing any more'
) AS
SELECT
    tenant,
    substring(identifier, 21) AS former_id,
    if(of_account, 'account', 'contact') AS kind,
    if(of_account, account_id, contact_id) AS current_id
FROM resolved
WHERE identifier_kind IN ('journeys_contact_id', 'journeys_account_id') AND former_id != current_id
COMMENT 'One row per contact or account id that is no longer in use';

CREATE OR REPLACE VIEW v_privacy_requests (
    tenant LowCardinality(String) COMMENT 'tenant',
    request_id String COMMENT 'id of the request',
    request LowCardinality(String) COMMENT 'erase or export',
    occurred_at DateTime64(3, 'UTC') COMMENT 'its time: everything up to then is meant',
    result LowCardinality(String) COMMENT 'done; not_found: nothing is known of it, the request is kept',
    identifiers UInt64 COMMENT 'strong identifiers that it was about',
    devices UInt64 COMMENT 'weak identifiers that it was about',
    contact_ids Array(String) COMMENT 'contacts that it was about',
    answered_at DateTime64(3, 'UTC') COMMENT 'when it was answered last'
) AS
SELECT
    tenant, request_id, request, occurred_at, result, counts['identifiers'] AS identifiers,
    counts['devices'] AS devices, contact_ids, emitted_at AS answered_at
FROM privacy_results FINAL
COMMENT 'One row per privacy request and what it came to';

-- What journeys and stages are is read from the account now.
DROP VIEW IF EXISTS journey_facts_of_events;

DROP TABLE IF EXISTS journey_facts;
