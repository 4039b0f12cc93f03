-- Views: what analysts read. They hide FINAL and stitching; `tenant` is the first column of each.
-- A later migration changes one with CREATE OR REPLACE VIEW.

-- Touchpoints with the contact and the account they belong to as of now: the account that the touch names, as
-- the row of the account key resolves it, else that of the span of its identifier that holds the touch. Joined
-- span by span and key by key: an array or map of the row, copied onto each touch of the identifier, would need
-- memory that grows as the square of what one identifier has. Not for analysts: it shows everything.
CREATE OR REPLACE VIEW stitched AS
WITH placed AS (
    SELECT touchpoints.*, contact_name, contact_id, employer
    FROM touchpoints FINAL
    ASOF LEFT JOIN (
        SELECT tenant, identifier, since AS occurred_at, contact_id, employer
        FROM identity_map FINAL
        ARRAY JOIN span_from AS since, span_contact AS contact_id, span_account AS employer
    ) AS span USING (tenant, identifier, occurred_at)
)
SELECT placed.*, if(account = '', employer, named) AS account_id
FROM placed
LEFT ANY JOIN (
    SELECT tenant, identifier AS account, span_account[1] AS named
    FROM identity_map FINAL
    WHERE splitByChar(':', identifier)[1] IN ('account_id', 'customer_number', 'vat_number', 'domain')
) AS firm USING (tenant, account)
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW v_touchpoints (
    tenant LowCardinality(String) COMMENT 'tenant',
    event_id String COMMENT 'id of the event, unique per tenant and source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time',
    type LowCardinality(String) COMMENT 'touchpoint type; identified, profile_updated, consent_given and consent_withdrawn are facts, no touches',
    type_name LowCardinality(String) COMMENT 'name of a custom type, else empty',
    source LowCardinality(String) COMMENT 'system the event came from',
    channel LowCardinality(String) COMMENT 'channel',
    actor LowCardinality(String) COMMENT 'person, machine or us',
    identifier String COMMENT 'strongest identifier or account key on the event, kind:value; empty: none',
    contact_id String COMMENT 'contact it belongs to as of now; empty: nobody',
    account_id String COMMENT 'account it belongs to as of now: the one it names, else that of the employment at the time; empty: none',
    topic LowCardinality(String) COMMENT 'topic of the content',
    title String COMMENT 'title of the content',
    url String COMMENT 'page',
    search_terms String COMMENT 'what was searched for',
    content_id String COMMENT 'id of the content',
    campaign_id String COMMENT 'campaign',
    campaign_name String COMMENT 'its name',
    campaign_medium LowCardinality(String) COMMENT 'its medium',
    campaign_source LowCardinality(String) COMMENT 'its source',
    order_id String COMMENT 'order number',
    order_namespace LowCardinality(String) COMMENT 'whose order numbers these are',
    order_value Nullable(Decimal(38, 6)) COMMENT 'net value in the currency; null: none told',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    product_families Array(String) COMMENT 'product families on the order lines, each once',
    lines Array(Tuple(
        sku String,
        product_family String,
        brand String,
        quantity Nullable(Decimal(38, 6)),
        value Nullable(Decimal(38, 6)))) COMMENT 'order lines; value is the line total',
    return_reason String COMMENT 'why it was returned',
    promotion String COMMENT 'promotion used',
    contact_facts String COMMENT 'facts about the person, a JSON object or empty',
    organisation_facts String COMMENT 'facts about the firm, a JSON object or empty',
    consent Map(LowCardinality(String), Bool) COMMENT 'purpose to given or withdrawn',
    extra String COMMENT 'unknown fields of the event, a JSON object or empty'
) AS
SELECT
    tenant, event_id, occurred_at, type, type_name, source, channel, actor, identifier, contact_id, account_id,
    topic, title, url, search_terms, content_id, campaign_id, campaign_name, campaign_medium, campaign_source,
    order_id, order_namespace, order_value, currency,
    arrayDistinct(arrayFilter(family -> family != '', lines.product_family)) AS product_families,
    lines, return_reason, promotion, contact_facts, organisation_facts, consent, extra
FROM stitched
COMMENT 'One row per touchpoint, stitched as of now';

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
    touches UInt64 COMMENT 'touches, those by us and by machines too; messages with nothing but facts not counted'
) AS
WITH
    owned AS (
        SELECT
            tenant,
            identifier,
            arrayJoin(arrayDistinct(span_contact)) AS contact_id,
            splitByChar(':', identifier)[1] IN ('contact_id', 'user_id', 'email') AS strong
        FROM identity_map FINAL
        WHERE contact_id != ''
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
            maxMapIf(map(address, occurred_at), address != '') AS addresses
        FROM touched
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
    touches
FROM contacts
LEFT ANY JOIN seen USING (tenant, contact_id)
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
    lag_days Nullable(Float64) COMMENT 'days from the first touch of the account''s first member to the first of this one'
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
    member.lag_days AS lag_days
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
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
) AS
SELECT
    tenant, account_id, kind, name, keys, crm_account_id, stage, stage_since, journey_id,
    arrayUniq(arrayMap(m -> m.contact_id, arrayFilter(m -> m.valid_to IS NULL, accounts.members))) AS members,
    industry, employees, country, dense, first_seen, last_seen, touches, definition_version
FROM accounts FINAL
WHERE NOT gone
COMMENT 'One row per account (buying group)';

CREATE OR REPLACE VIEW v_journeys (
    tenant LowCardinality(String) COMMENT 'tenant',
    account_id String COMMENT 'account',
    journey_id String COMMENT 'account id and number in event time, account_id.n',
    opened_at DateTime64(3, 'UTC') COMMENT 'first touch of the journey',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it ended; null: open',
    closed_by LowCardinality(String) COMMENT 'gap, won, lost or command; empty: open'
) AS
WITH facts AS (SELECT * FROM journey_facts FINAL WHERE kind IN ('journey', 'journey_end') AND NOT retracted)
SELECT
    tenant,
    subject AS account_id,
    concat(subject, '.', natural_key) AS journey_id,
    opened.occurred_at AS opened_at,
    ended.closed_at AS closed_at,
    ended.closed_by AS closed_by
FROM (SELECT * FROM facts WHERE kind = 'journey') AS opened
LEFT ANY JOIN (
    SELECT tenant, subject, natural_key, toNullable(occurred_at) AS closed_at, details['closed_by'] AS closed_by
    FROM facts
    WHERE kind = 'journey_end'
) AS ended USING (tenant, subject, natural_key)
SETTINGS join_use_nulls = 0
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
    subject AS account_id,
    concat(subject, '.', splitByChar('/', natural_key)[1]) AS journey_id,
    lagInFrame(to_stage, 1, '') OVER (
        PARTITION BY tenant, journey_id
        ORDER BY occurred_at, indexOf(
            ['awareness', 'consideration', 'evaluation', 'purchase', 'experience', 'loyalty'], to_stage)
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS from_stage,
    splitByChar('/', natural_key)[2] AS to_stage,
    occurred_at,
    caused_by,
    CAST(corrects != '', 'Bool') AS corrected
FROM journey_facts FINAL
WHERE kind = 'stage' AND NOT retracted
COMMENT 'One row per stage entered in a journey, as it now holds';

CREATE OR REPLACE VIEW v_journey_events (
    tenant LowCardinality(String) COMMENT 'tenant',
    subject String COMMENT 'account or contact id that it tells of',
    id String COMMENT 'id of the event',
    type LowCardinality(String) COMMENT 'event type',
    account_id String COMMENT 'account',
    contact_id String COMMENT 'contact; empty: none is meant',
    occurred_at DateTime64(3, 'UTC') COMMENT 'event time of the cause',
    details Map(LowCardinality(String), String) COMMENT 'details by name; what is no text stands as JSON',
    corrects String COMMENT 'id of the event that it corrects; empty: none',
    retracted Bool COMMENT 'true: it says that the fact no longer holds',
    kind LowCardinality(String) COMMENT 'what is told of the subject',
    natural_key String COMMENT 'which one of the kind',
    version UInt256 COMMENT 'of one subject, kind and natural key the highest holds',
    emitted_at DateTime64(3, 'UTC') COMMENT 'when it was told',
    caused_by Array(String) COMMENT 'ids of the events that caused it',
    account_name String COMMENT 'name of the account then',
    stage LowCardinality(String) COMMENT 'stage of the account then',
    journey_id String COMMENT 'journey of the account then',
    definition_version LowCardinality(String) COMMENT 'version of the journey definition'
) AS
SELECT
    tenant, subject, id, type, account_id, contact_id, occurred_at, details, corrects, retracted, kind, natural_key,
    version, emitted_at, caused_by, account_name, stage, journey_id, definition_version
FROM journey_events FINAL
COMMENT 'One row per journey event ever told, corrections and retractions included';

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
    topic = 'touchpoints' AND JSONType(original) = 'Object'
        AND JSONType(original, 'tenant') IN ('Null', 'String') AS untold
SELECT
    multiIf(told != '', told, untold, 'default', '') AS tenant,
    at, reason, field, error, topic, partition, offset, generation, original, size
FROM dead_letters FINAL
COMMENT 'One row per refused record';
