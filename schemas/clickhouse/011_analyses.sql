-- Analyses: journeys and their touches, by stage, channel, source, campaign and segment.
--
-- Each is told for everything (segment_kind, segment and source empty), for each segment of each kind, and for each
-- source of the first touch. A journey is won when an order of it is not cancelled or sales says so of its hand-off.

-- One row per journey with what became of it. Not for analysts.
CREATE OR REPLACE VIEW journey_results AS
WITH
    ended AS (
        SELECT
            tenant, account_id, segments, currency AS reporting, order_list, handoffs, journeys,
            arrayJoin(arrayEnumerate(journeys)) AS place
        FROM accounts FINAL
        WHERE NOT gone
    )
SELECT
    tenant,
    account_id,
    segments,
    concat(account_id, '.', toString(journeys[place].number)) AS journey_id,
    journeys[place].opened_at AS opened_at,
    journeys[place].closed_at AS closed_at,
    journeys[place].closed_by AS closed_by,
    journeys[place].stages AS stages,
    journeys[place].moments AS moments,
    place = length(journeys) AS latest,
    if(latest, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), journeys[place + 1].opened_at) AS next_opened_at,
    arrayFilter(o -> NOT o.cancelled AND o.at >= opened_at AND o.at < next_opened_at, order_list) AS placed,
    arrayFilter(h -> h.journey = journeys[place].number AND h.status = 'won', handoffs) AS sold,
    notEmpty(placed) OR notEmpty(sold) OR closed_by = 'won' AS won,
    NOT won AND closed_by != '' AS missed,
    -- Orders tell the value, and sales where there are none; only in the reporting currency, nothing is converted here.
    toFloat64(if(
        notEmpty(placed),
        arraySum(o -> if(o.currency = reporting, ifNull(o.value, 0) - ifNull(o.returned, 0), 0), placed),
        arraySum(h -> if(h.currency IN (reporting, ''), ifNull(h.value, 0), 0), sold)
    )) AS worth,
    arrayMin(arrayConcat(
        arrayMap(o -> o.at, placed),
        arrayMap(h -> ifNull(h.outcome_at, h.at), sold),
        [if(won, ifNull(closed_at, next_opened_at), next_opened_at)]
    )) AS won_at
FROM ended;

-- One row per touch of a journey, with the stage at the time; `own`: by people, and more than an opened mail, which
-- gateways do as well. Not for analysts.
CREATE OR REPLACE VIEW journey_touches AS
WITH
    spans AS (SELECT tenant, account_id, opened_at AS occurred_at, journey_id, closed_at, closed_by FROM journey_results),
    entered AS (
        SELECT tenant, account_id, stage.entered_at AS occurred_at, max(stage.place) AS place, argMax(stage.name, stage.place) AS stage, journey_id
        FROM (
            SELECT
                tenant, account_id, journey_id,
                arrayJoin(arrayMap(
                    (s, n) -> CAST((s.stage, s.entered_at, n), 'Tuple(name String, entered_at DateTime64(3, \'UTC\'), place UInt32)'),
                    stages, arrayEnumerate(stages))) AS stage
            FROM journey_results
        )
        GROUP BY tenant, account_id, journey_id, occurred_at
    ),
    touches AS (
        SELECT
            tenant, account_id, occurred_at, event_id, source, type, channel, topic, contact_id,
            campaign_id, actor = 'person' AND type != 'email_opened' AS own, if(campaign_source != '', campaign_source, source) AS origin
        FROM stitched
        WHERE account_id != '' AND type NOT IN ('identified', 'profile_updated', 'consent_given', 'consent_withdrawn')
    )
SELECT touched.*, if(entered.journey_id = touched.journey_id, entered.stage, '') AS stage
FROM (
    SELECT touches.*, spans.journey_id AS journey_id
    FROM touches ASOF INNER JOIN spans USING (tenant, account_id, occurred_at)
    -- After a journey was lost or closed nothing is of it any more; after a gap nothing came.
    WHERE closed_by IN ('', 'gap', 'won') OR occurred_at <= closed_at
) AS touched
ASOF LEFT JOIN entered USING (tenant, account_id, occurred_at)
SETTINGS join_use_nulls = 0;

-- Journeys with the source of their first touch by a person, once per way to split them. Not for analysts.
CREATE OR REPLACE VIEW split_journeys AS
SELECT
    journey_results.*, first_source,
    arrayJoin(arrayConcat(
        [('', '', ''), ('', '', first_source)],
        arrayMap((kind, id) -> (kind, id, ''), mapKeys(segments), mapValues(segments))
    )) AS split,
    CAST(split.1, 'String') AS segment_kind, split.2 AS segment, split.3 AS of_source
FROM journey_results
LEFT ANY JOIN (
    SELECT tenant, journey_id, argMin(origin, (occurred_at, source, event_id)) AS first_source
    FROM journey_touches WHERE own GROUP BY tenant, journey_id
) AS opened USING (tenant, journey_id)
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW v_funnel (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all, or one source',
    segment String COMMENT 'segment; empty: all, or one source',
    first_source String COMMENT 'source of the journey''s first touch: that of its campaign, else the system; empty: all, or one segment',
    stage LowCardinality(String) COMMENT 'stage',
    place UInt32 COMMENT 'its place among the stages, as far as they were entered',
    accounts UInt64 COMMENT 'accounts that are in it now',
    journeys UInt64 COMMENT 'journeys that entered it',
    moved_on UInt64 COMMENT 'journeys that entered a later stage from it',
    conversion Float64 COMMENT 'moved_on ÷ journeys',
    median_days Nullable(Float64) COMMENT 'median of the days from entering it to entering the next; null: none went on'
) AS
SELECT
    tenant, segment_kind, segment, of_source AS first_source,
    step.1 AS stage,
    max(max(step.2)) OVER (PARTITION BY tenant, stage) AS place,
    uniqExactIf(account_id, latest AND step.3 IS NULL) AS accounts,
    count() AS journeys,
    countIf(step.3 IS NOT NULL) AS moved_on,
    round(moved_on / journeys, 4) AS conversion,
    if(moved_on = 0, NULL, round(quantileExactInclusiveIf(0.5)(ifNull(step.3, 0), step.3 IS NOT NULL), 2)) AS median_days
FROM (
    SELECT
        tenant, segment_kind, segment, of_source, account_id, latest,
        arrayJoin(arrayMap(
            (s, n) -> (s.stage, toUInt32(n), if(n = length(stages), NULL,
                dateDiff('second', s.entered_at, stages[n + 1].entered_at) / 86400)),
            stages, arrayEnumerate(stages))) AS step
    FROM split_journeys
)
GROUP BY tenant, segment_kind, segment, of_source, stage
COMMENT 'Funnel: one row per stage, for all, each segment and each first source';

CREATE OR REPLACE VIEW v_dropoff (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all, or one source',
    segment String COMMENT 'segment; empty: all, or one source',
    first_source String COMMENT 'source of the journey''s first touch; empty: all, or one segment',
    stage LowCardinality(String) COMMENT 'furthest stage of the journeys; empty: none was entered',
    ended UInt64 COMMENT 'journeys that ended in it without being won',
    by_gap UInt64 COMMENT 'of these: nobody came any more',
    lost UInt64 COMMENT 'of these: sales said so',
    share Float64 COMMENT 'of all journeys that ended without being won'
) AS
SELECT
    tenant, segment_kind, segment, of_source AS first_source,
    stages[-1].stage AS stage,
    count() AS ended,
    countIf(closed_by = 'gap') AS by_gap,
    countIf(closed_by = 'lost') AS lost,
    round(ended / sum(ended) OVER (PARTITION BY tenant, segment_kind, segment, first_source), 4) AS share
FROM split_journeys
WHERE missed
GROUP BY tenant, segment_kind, segment, of_source, stage
COMMENT 'Where journeys end without being won: one row per stage, for all, each segment and each first source';

CREATE OR REPLACE VIEW v_channel_use (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all',
    segment String COMMENT 'segment; empty: all',
    stage LowCardinality(String) COMMENT 'stage of the journey at the time; empty: none yet',
    channel LowCardinality(String) COMMENT 'channel',
    touches UInt64 COMMENT 'touches by people',
    people UInt64 COMMENT 'contacts',
    accounts UInt64 COMMENT 'accounts'
) AS
SELECT
    tenant, segment_kind, segment, stage, channel, count() AS touches, uniqExactIf(contact_id, contact_id != '') AS people,
    uniqExact(account_id) AS accounts
FROM journey_touches
INNER JOIN (
    SELECT DISTINCT tenant, journey_id, segment_kind, segment FROM split_journeys WHERE of_source = ''
) AS splits USING (tenant, journey_id)
WHERE own
GROUP BY tenant, segment_kind, segment, stage, channel
COMMENT 'One row per stage and channel, for all and each segment';

CREATE OR REPLACE VIEW v_paths (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all',
    segment String COMMENT 'segment; empty: all',
    rank UInt64 COMMENT '1: the path that most journeys took',
    path Array(String) COMMENT 'stage and channel of each step, in order of the first time; repeats are left out',
    journeys UInt64 COMMENT 'journeys that took it',
    share Float64 COMMENT 'of all journeys',
    won UInt64 COMMENT 'of these: won',
    missed UInt64 COMMENT 'of these: ended without being won',
    win_rate Nullable(Float64) COMMENT 'won ÷ those that are decided; null: none is'
) AS
SELECT
    tenant, segment_kind, segment,
    row_number() OVER (PARTITION BY tenant, segment_kind, segment ORDER BY journeys DESC, won DESC, path) AS rank,
    path, journeys,
    round(journeys / sum(journeys) OVER (PARTITION BY tenant, segment_kind, segment), 4) AS share,
    won, missed, win_rate
FROM (
    SELECT
        tenant, segment_kind, segment, path, count() AS journeys, countIf(split_journeys.won) AS won, countIf(split_journeys.missed) AS missed,
        if(won + missed = 0, NULL, round(won / (won + missed), 4)) AS win_rate
    FROM split_journeys
    INNER JOIN (
        SELECT
            tenant, journey_id,
            arrayDistinct(arrayMap(s -> s.2, arraySort(groupArray((
                (occurred_at, source, event_id), concat(stage, ' ', channel)
            ))))) AS path
        FROM journey_touches WHERE own AND stage != ''
        GROUP BY tenant, journey_id
    ) AS walked USING (tenant, journey_id)
    WHERE of_source = ''
    GROUP BY tenant, segment_kind, segment, path
)
COMMENT 'Typical paths: one row per sequence of stage and channel, for all and each segment';

CREATE OR REPLACE VIEW v_moments (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all',
    segment String COMMENT 'segment; empty: all',
    moment String COMMENT 'crucial moment',
    journeys UInt64 COMMENT 'journeys that have it',
    won UInt64 COMMENT 'of these: won',
    win_rate Nullable(Float64) COMMENT 'won ÷ those that are decided, of journeys with it; null: none is',
    win_rate_without Nullable(Float64) COMMENT 'the same of journeys without it; null: none is',
    lift Nullable(Float64) COMMENT 'how many times as often journeys with it are won; null: cannot be told'
) AS
WITH
    sides AS (
        SELECT tenant, segment_kind, segment, mapKeys(moments) AS have, won, missed
        FROM split_journeys WHERE of_source = ''
    ),
    named AS (SELECT DISTINCT tenant, segment_kind, segment, arrayJoin(have) AS moment FROM sides)
SELECT
    tenant, segment_kind, segment, moment,
    countIf(has(have, moment)) AS journeys,
    countIf(has(have, moment) AND sides.won) AS won,
    round(won / nullIf(countIf(has(have, moment) AND (sides.won OR missed)), 0), 4) AS win_rate,
    round(countIf(NOT has(have, moment) AND sides.won) / nullIf(countIf(NOT has(have, moment) AND (sides.won OR missed)), 0), 4) AS win_rate_without,
    round(win_rate / nullIf(win_rate_without, 0), 2) AS lift
FROM named INNER JOIN sides USING (tenant, segment_kind, segment)
GROUP BY tenant, segment_kind, segment, moment
COMMENT 'Crucial moments: how much more often journeys that have one are won, for all and each segment';

CREATE OR REPLACE VIEW v_steps (
    tenant LowCardinality(String) COMMENT 'tenant',
    type LowCardinality(String) COMMENT 'touchpoint type',
    topic String COMMENT 'topic; empty: none',
    won UInt64 COMMENT 'won journeys in which somebody took the step',
    won_share Float64 COMMENT 'of all won journeys',
    won_shared UInt64 COMMENT 'won journeys in which two or more contacts took it',
    missed UInt64 COMMENT 'journeys that ended without being won in which somebody took it',
    missed_share Float64 COMMENT 'of all journeys that ended without being won',
    missed_shared UInt64 COMMENT 'of these: two or more contacts took it',
    difference Float64 COMMENT 'won_share − missed_share: the steps that won journeys have in common come first'
) AS
WITH
    decided AS (SELECT tenant, journey_id, won FROM journey_results WHERE won OR missed),
    counts AS (SELECT tenant, countIf(won) AS all_won, countIf(NOT won) AS all_missed FROM decided GROUP BY tenant)
SELECT
    tenant, type, topic,
    countIf(ended_well) AS won,
    if(any(all_won) = 0, 0, round(won / any(all_won), 4)) AS won_share,
    countIf(ended_well AND people > 1) AS won_shared,
    countIf(NOT ended_well) AS missed,
    if(any(all_missed) = 0, 0, round(missed / any(all_missed), 4)) AS missed_share,
    countIf(NOT ended_well AND people > 1) AS missed_shared,
    round(won_share - missed_share, 4) AS difference
FROM (
    SELECT tenant, journey_id, type, topic, any(decided.won) AS ended_well, uniqExactIf(contact_id, contact_id != '') AS people
    FROM journey_touches INNER JOIN decided USING (tenant, journey_id)
    WHERE own
    GROUP BY tenant, journey_id, type, topic
) AS taken
INNER JOIN counts USING (tenant)
GROUP BY tenant, type, topic
COMMENT 'Steps of won journeys against those of journeys that ended without being won: one row per type and topic';

CREATE OR REPLACE VIEW v_lead_results (
    tenant LowCardinality(String) COMMENT 'tenant',
    dimension LowCardinality(String) COMMENT 'all, campaign_first (of the journey''s first touch with a campaign), campaign_last (of the last before the hand-off), source (of the journey''s first touch), or segment: and its kind',
    value String COMMENT 'campaign, source or segment; empty: all, or none is known',
    handoffs UInt64 COMMENT 'hand-offs to sales, withdrawn ones left out',
    accepted UInt64 COMMENT 'accepted, and nothing further yet',
    rejected UInt64 COMMENT 'rejected',
    working UInt64 COMMENT 'being worked on',
    won UInt64 COMMENT 'won',
    lost UInt64 COMMENT 'lost',
    recycled UInt64 COMMENT 'given back for later',
    open UInt64 COMMENT 'without an answer yet',
    expired UInt64 COMMENT 'without an answer, and the journey is over',
    conversion Float64 COMMENT 'won ÷ hand-offs',
    revenue Decimal(38, 6) COMMENT 'value of those won, as sales told it, in the reporting currency or none told',
    median_hours Nullable(Float64) COMMENT 'median of the hours to the first answer; null: none answered'
) AS
WITH
    made AS (
        SELECT tenant, account_id, segments, reporting, handoff.at AS at, handoff.status AS status, handoff.value AS worth,
            handoff.currency AS currency, concat(account_id, '.', toString(handoff.journey)) AS journey_id, handoff.handoff_id AS handoff_id,
            dateDiff('millisecond', handoff.at, handoff.responded_at) / 3600000 AS hours
        FROM (
            SELECT tenant, account_id, segments, currency AS reporting, arrayJoin(handoffs) AS handoff
            FROM accounts FINAL WHERE NOT gone
        )
        WHERE status != 'withdrawn'
    ),
    traced AS (
        SELECT
            tenant, handoff_id,
            argMinIf(campaign_id, (occurred_at, source, event_id), own AND campaign_id != '' AND occurred_at <= at) AS campaign_first,
            argMaxIf(campaign_id, (occurred_at, source, event_id), own AND campaign_id != '' AND occurred_at <= at) AS campaign_last,
            argMinIf(origin, (occurred_at, source, event_id), own) AS first_source
        FROM made INNER JOIN journey_touches USING (tenant, journey_id)
        GROUP BY tenant, handoff_id
    ),
    split AS (
        SELECT made.*, arrayJoin(arrayConcat(
            [('all', ''), ('campaign_first', campaign_first), ('campaign_last', campaign_last), ('source', first_source)],
            arrayMap((kind, id) -> (concat('segment:', kind), id), mapKeys(segments), mapValues(segments))
        )) AS by
        FROM made LEFT ANY JOIN traced USING (tenant, handoff_id)
    )
SELECT
    tenant, by.1 AS dimension, by.2 AS value,
    count() AS handoffs,
    countIf(status = 'accepted') AS accepted,
    countIf(status = 'rejected') AS rejected,
    countIf(status = 'working') AS working,
    countIf(status = 'won') AS won,
    countIf(status = 'lost') AS lost,
    countIf(status = 'recycled') AS recycled,
    countIf(status = 'open') AS open,
    countIf(status = 'expired') AS expired,
    round(won / handoffs, 4) AS conversion,
    sumIf(ifNull(worth, 0), status = 'won' AND currency IN (reporting, '')) AS revenue,
    if(countIf(hours IS NOT NULL) = 0, NULL, round(quantileExactInclusiveIf(0.5)(ifNull(hours, 0), hours IS NOT NULL), 2)) AS median_hours
FROM split
GROUP BY tenant, dimension, value
SETTINGS join_use_nulls = 0
COMMENT 'What became of the leads: one row per campaign, source and segment';

CREATE OR REPLACE VIEW v_attribution (
    tenant LowCardinality(String) COMMENT 'tenant',
    model LowCardinality(String) COMMENT 'first, last, linear, position (40/20/40) or decay (half-life 14 days)',
    campaign_id String COMMENT 'campaign; empty: none',
    channel LowCardinality(String) COMMENT 'channel',
    source String COMMENT 'source of the campaign, else the system',
    touches UInt64 COMMENT 'touches by people of the buying group before the journey was won',
    journeys UInt64 COMMENT 'won journeys with such a touch',
    credit Float64 COMMENT 'won journeys it is given',
    revenue Float64 COMMENT 'value of those, in the reporting currency'
) AS
WITH
    counted AS (
        SELECT
            tenant, journey_id, campaign_id, channel, origin, occurred_at, won_at, worth, event_id, journey_touches.source AS system,
            type IN ('order_placed', 'order_cancelled', 'order_returned', 'subscription_started', 'subscription_ended') AS trade,
            countIf(NOT trade) OVER (PARTITION BY tenant, journey_id) AS others
        FROM journey_touches
        INNER JOIN (SELECT tenant, journey_id, won_at, worth FROM journey_results WHERE won) AS sold USING (tenant, journey_id)
        WHERE own AND occurred_at <= won_at
    ),
    placed AS (
        -- The order itself brought nobody, unless there is nothing else.
        SELECT
            *,
            row_number() OVER (PARTITION BY tenant, journey_id ORDER BY occurred_at, system, event_id) AS n,
            count() OVER (PARTITION BY tenant, journey_id) AS many,
            pow(0.5, dateDiff('second', occurred_at, won_at) / 86400 / 14) AS fresh,
            sum(fresh) OVER (PARTITION BY tenant, journey_id) AS all_fresh
        FROM counted
        WHERE NOT trade OR others = 0
    )
SELECT
    tenant, model, campaign_id, channel, origin AS source,
    count() AS touches,
    uniqExact(journey_id) AS journeys,
    round(sum(part), 4) AS credit,
    round(sum(part * worth), 2) AS revenue
FROM (
    SELECT
        *, arrayJoin(['first', 'last', 'linear', 'position', 'decay']) AS model,
        multiIf(
            model = 'first', toFloat64(n = 1),
            model = 'last', toFloat64(n = many),
            model = 'linear', 1 / many,
            model = 'decay', fresh / all_fresh,
            many < 3, 1 / many,
            n IN (1, many), 0.4,
            0.2 / (many - 2)) AS part
    FROM placed
)
GROUP BY tenant, model, campaign_id, channel, origin
COMMENT 'What brought won journeys, over the whole buying group: one row per model, campaign, channel and source';

CREATE OR REPLACE VIEW v_message_response (
    tenant LowCardinality(String) COMMENT 'tenant',
    campaign_id String COMMENT 'campaign; empty: none',
    campaign_name String COMMENT 'its name, the latest told',
    sent UInt64 COMMENT 'mails sent',
    bounced UInt64 COMMENT 'mails that came back',
    opened UInt64 COMMENT 'mails opened; gateways open mail, too',
    clicked UInt64 COMMENT 'links clicked',
    unsubscribed UInt64 COMMENT 'people who unsubscribed',
    people_sent UInt64 COMMENT 'contacts that were sent one',
    people_clicked UInt64 COMMENT 'contacts that clicked',
    open_rate Nullable(Float64) COMMENT 'opened ÷ sent; null: none is known to be sent',
    click_rate Nullable(Float64) COMMENT 'people_clicked ÷ people_sent; null: none is known to be sent'
) AS
SELECT
    tenant, campaign_id,
    argMaxIf(stitched.campaign_name, occurred_at, stitched.campaign_name != '') AS campaign_name,
    countIf(type = 'email_sent') AS sent,
    countIf(type = 'email_bounced') AS bounced,
    countIf(type = 'email_opened') AS opened,
    countIf(type = 'email_clicked') AS clicked,
    countIf(type = 'unsubscribed') AS unsubscribed,
    uniqExactIf(contact_id, contact_id != '' AND type = 'email_sent') AS people_sent,
    uniqExactIf(contact_id, contact_id != '' AND type = 'email_clicked') AS people_clicked,
    round(opened / nullIf(sent, 0), 4) AS open_rate,
    round(people_clicked / nullIf(people_sent, 0), 4) AS click_rate
FROM stitched
WHERE type IN ('email_sent', 'email_bounced', 'email_opened', 'email_clicked', 'unsubscribed')
GROUP BY tenant, campaign_id
COMMENT 'How people respond to mail: one row per campaign';

CREATE OR REPLACE VIEW v_products (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all',
    segment String COMMENT 'segment; empty: all',
    product_family String COMMENT 'product family',
    accounts UInt64 COMMENT 'accounts that ordered it',
    orders UInt64 COMMENT 'orders with it that are not cancelled',
    returned UInt64 COMMENT 'of these: something came back',
    share Float64 COMMENT 'of the accounts that ordered anything'
) AS
WITH
    placed AS (
        SELECT
            tenant, account_id, arrayJoin(order_list) AS one,
            arrayConcat([('', '')], arrayZip(mapKeys(segments), mapValues(segments))) AS splits
        FROM accounts FINAL
        WHERE NOT gone
    ),
    split AS (
        SELECT tenant, account_id, one, arrayJoin(splits) AS by, CAST(by.1, 'String') AS segment_kind, by.2 AS segment
        FROM placed WHERE NOT one.cancelled
    ),
    buyers AS (SELECT tenant, segment_kind, segment, uniqExact(account_id) AS all_buyers FROM split GROUP BY tenant, segment_kind, segment)
SELECT
    tenant, segment_kind, segment, family AS product_family,
    uniqExact(account_id) AS accounts,
    count() AS orders,
    countIf(one.returned IS NOT NULL) AS returned,
    round(accounts / any(all_buyers), 4) AS share
FROM (SELECT *, arrayJoin(one.families) AS family FROM split) AS bought
INNER JOIN buyers USING (tenant, segment_kind, segment)
GROUP BY tenant, segment_kind, segment, family
COMMENT 'What is ordered: one row per product family, for all and each segment';

CREATE OR REPLACE VIEW v_trade (
    tenant LowCardinality(String) COMMENT 'tenant',
    segment_kind String COMMENT 'kind of segment; empty: all',
    segment String COMMENT 'segment; empty: all',
    accounts UInt64 COMMENT 'accounts',
    buyers UInt64 COMMENT 'accounts with an order that is not cancelled',
    orders UInt64 COMMENT 'orders that are not cancelled',
    revenue Decimal(38, 6) COMMENT 'net orders minus returns and cancellations, in the reporting currency',
    currency LowCardinality(String) COMMENT 'the reporting currency',
    aov Nullable(Float64) COMMENT 'mean value of an order, in the reporting currency; null: no order',
    frequency Nullable(Float64) COMMENT 'orders a year, mean of the buyers with orders at least 30 days apart; null: there is none',
    breadth Nullable(Float64) COMMENT 'mean number of product families of a buyer; null: no buyer',
    return_rate Nullable(Float64) COMMENT 'orders with a return ÷ orders; null: no order',
    return_reasons Map(String, UInt64) COMMENT 'reason of a return to how often it was told'
) AS
WITH
    split AS (
        SELECT
            *, arrayJoin(arrayConcat([('', '')], arrayZip(mapKeys(segments), mapValues(segments)))) AS by,
            CAST(by.1, 'String') AS segment_kind, by.2 AS segment,
            arrayCount(
                o -> NOT o.cancelled AND o.value IS NOT NULL AND NOT mapContains(unconverted, o.currency), order_list
            ) AS worth
        FROM accounts FINAL
        LEFT ANY JOIN (
            SELECT tenant, account_id, sumMap(map(return_reason, toUInt64(1))) AS reasons
            FROM stitched WHERE type = 'order_returned' AND return_reason != '' GROUP BY tenant, account_id
        ) AS back USING (tenant, account_id)
        WHERE NOT gone
    )
SELECT
    tenant, segment_kind, segment,
    count() AS accounts,
    countIf(split.orders > 0) AS buyers,
    sum(split.orders) AS orders,
    sum(split.revenue) AS revenue,
    max(split.currency) AS currency,
    round(sum(ifNull(split.aov, 0) * worth) / nullIf(sumIf(worth, split.aov IS NOT NULL), 0), 2) AS aov,
    round(avgOrNull(order_frequency), 2) AS frequency,
    round(avgOrNullIf(length(product_families), split.orders > 0), 2) AS breadth,
    round(sum(ifNull(split.return_rate, 0) * split.orders) / nullIf(sum(split.orders), 0), 4) AS return_rate,
    sumMap(reasons) AS return_reasons
FROM split
GROUP BY tenant, segment_kind, segment
SETTINGS join_use_nulls = 0
COMMENT 'Value, frequency, breadth and returns: one row for all, and one per segment';
