-- The tracking fold, as projections/tracking.py and rows.py have it for the stream.
-- Needs `mails_dealt`: what mails_told.sql says of all events, or of those that are about some of the mails.
-- Repetition and order of the events change nothing.

-- Those that imply a status come first, the highest first. As `STATUS` and `RANK`.
CREATE TYPE IF NOT EXISTS slot AS ENUM (
  'opened', 'delivered', 'bounced', 'complained', 'soft_bounced',
  'failed', 'rejected', 'rendering_failed', 'retry_exhausted',
  'sent', 'accepted',
  'retry_not_needed', 'not_spam', 'machine_opened', 'clicked', 'delayed', 'subscription'
);

CREATE OR REPLACE MACRO text_of(moment) AS strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ');

-- What is known of a mail: the facts as they stand in the attribute `facts`, as if each were the only one of its
-- slot. The ends of lines between them stand nowhere else in JSON.
CREATE OR REPLACE VIEW mails_gathered AS
SELECT
  mail,
  min(decided) AS decided,
  list(slot) AS slots,
  list(time) AS times,
  count(*) > bit_count(bit_or(1 << CAST(enum_code(slot) AS INTEGER))) AS repeats,
  any_value(says) FILTER (slot = 'sent') AS sent,
  any_value(says) FILTER (slot = 'failed') AS failed,
  string_agg(concat('"', slot, '":[["', time, '",', to_json(id), ',', says, '],"', time, '"]'), E',\n') AS lines
FROM (SELECT * REPLACE (CAST(slot AS slot) AS slot, text_of(time) AS time) FROM mails_dealt)
GROUP BY mail;

-- The facts of a mail that repeats, by slot, then time, then id.
CREATE OR REPLACE MACRO in_order(slots, times, lines) AS list_sort(list_transform(
  list_zip(slots, times, string_split(lines, E',\n')),
  lambda each: {
    'slot': each[1], 'time': each[2],
    'id': json_extract_string(concat('{', each[3], '}'), '$.*[0][1]')[1], 'line': each[3]
  }
));

-- Of each slot the first of them.
CREATE OR REPLACE MACRO firsts(ordered) AS
  list_filter(ordered, lambda each, i: i = 1 OR ordered[i - 1].slot <> each.slot);

-- A fact's text with the time of the last of its slot in the place of its own.
CREATE OR REPLACE MACRO until_last(fact, ordered) AS
  concat(fact.line[:-27], list_filter(ordered, lambda other: other.slot = fact.slot)[-1].time, '"]');

-- What is known of a mail: of each slot the first fact and the time of the last. As `join`.
CREATE OR REPLACE VIEW mails_known AS
SELECT
  mail,
  decided,
  coalesce(list_transform(firsts, lambda each: each.slot), slots) AS slots,
  coalesce(list_transform(firsts, lambda each: each.time), times) AS times,
  concat('{', coalesce(
    array_to_string(list_transform(firsts, lambda each: until_last(each, ordered)), ','), lines
  ), '}') AS facts,
  if(repeats, facts -> '$.sent[0][2]', sent) AS sent,
  if(repeats, facts -> '$.failed[0][2]', failed) AS failed
FROM (
  SELECT *, firsts(ordered) AS firsts
  FROM (SELECT *, CASE WHEN repeats THEN in_order(slots, times, lines) END AS ordered FROM mails_gathered)
);

CREATE OR REPLACE MACRO has(slots, name) AS list_contains(slots, CAST(name AS slot));
CREATE OR REPLACE MACRO time_of(slots, times, name) AS times[list_position(slots, CAST(name AS slot))];

-- The earliest of some facts, each a JSON array of time, id, and what it says.
CREATE OR REPLACE MACRO earliest(facts) AS list_min(list_transform(
  facts, lambda each: {'time': each ->> '$[0]', 'id': each ->> '$[1]', 'says': each -> '$[2]'}
)).says;

-- Rows of the tracking table, but for `done`, `ttl` and `version`. As `row_of`.
CREATE OR REPLACE VIEW mails AS
SELECT
  mail AS "emailId",
  CASE
    WHEN highest <= CAST('soft_bounced' AS slot) THEN CAST(highest AS VARCHAR)
    WHEN highest <= CAST('retry_exhausted' AS slot) THEN 'failed'
    ELSE 'sent'
  END AS status,
  text_of(decided) AS timestamp,
  said."toEmail",
  said."originalEmailId",
  said."retryAttempt",
  said.place.shard AS "requestShard",
  said.place.sequence AS "requestSequence",
  said."eventId" AS "requestEventId",
  said."originalSource",
  said."templateName",
  said.subject,
  nullif(said.metadata, '{}') AS metadata,
  nullif(said."unknownFields", '[]') AS "unknownFields",
  CASE
    WHEN sent IS NULL THEN earliest(list_filter(
      json_extract(facts, '$.*[0]'), lambda each: (each -> '$[2].sesMessageId') IS NOT NULL
    )) ->> '$.sesMessageId'
    WHEN failed IS NULL THEN said."sesMessageId"
    ELSE sent ->> '$.sesMessageId'
  END AS "sesMessageId",
  bounce ->> '$.bounceType' AS "bounceType",
  bounce ->> '$.bounceSubType' AS "bounceSubType",
  bounce ->> '$.bounceSubType' AS "bounceReason",
  bounce ->> '$.diagnosticCode' AS "bounceDiagnostic",
  CASE
    WHEN has(slots, 'complained') THEN facts ->> '$.complained[0][2].complaintFeedbackType'
  END AS "complaintFeedbackType",
  CASE failure.slot
    WHEN 'failed' THEN failure.says ->> '$.errorCode'
    WHEN 'rejected' THEN 'SES_REJECTED'
    WHEN 'rendering_failed' THEN 'SES_RENDERING_FAILED'
    WHEN 'retry_exhausted' THEN 'RETRY_EXHAUSTED'
  END AS "errorCode",
  CASE failure.slot
    WHEN 'failed' THEN failure.says ->> '$.errorMessage'
    WHEN 'rejected' THEN
      'SES rejected the mail: ' || coalesce(failure.says ->> '$.reason', 'no reason given')
    WHEN 'rendering_failed' THEN
      'SES could not render the mail: ' || coalesce(failure.says ->> '$.errorMessage', 'no reason given')
    WHEN 'retry_exhausted' THEN 'Retry exhausted: ' || (failure.says ->> '$.bounceSubType')
  END AS "errorMessage",
  time_of(slots, times, 'sent') AS "sentAt",
  time_of(slots, times, 'accepted') AS "acceptedAt",
  time_of(slots, times, 'failed') AS "failedAt",
  time_of(slots, times, 'rejected') AS "rejectedAt",
  time_of(slots, times, 'rendering_failed') AS "renderingFailedAt",
  time_of(slots, times, 'retry_exhausted') AS "retryExhaustedAt",
  time_of(slots, times, 'retry_not_needed') AS "retryNotNeededAt",
  time_of(slots, times, 'soft_bounced') AS "softBouncedAt",
  time_of(slots, times, 'complained') AS "complainedAt",
  time_of(slots, times, 'not_spam') AS "notSpamAt",
  time_of(slots, times, 'bounced') AS "bouncedAt",
  time_of(slots, times, 'delivered') AS "deliveredAt",
  time_of(slots, times, 'opened') AS "openedAt",
  time_of(slots, times, 'machine_opened') AS "machineOpenedAt",
  time_of(slots, times, 'clicked') AS "clickedAt",
  time_of(slots, times, 'delayed') AS "delayedAt",
  time_of(slots, times, 'subscription') AS "subscriptionAt",
  facts
FROM (
  SELECT
    *,
    list_min(slots) AS highest,
    from_json(
      coalesce(failed, sent, earliest(json_extract(facts, '$.*[0]'))),
      '{"toEmail": "VARCHAR", "originalEmailId": "VARCHAR", "retryAttempt": "INTEGER", "eventId": "VARCHAR",
        "originalSource": "VARCHAR", "templateName": "VARCHAR", "subject": "VARCHAR", "sesMessageId": "VARCHAR",
        "place": {"shard": "VARCHAR", "sequence": "VARCHAR"}, "metadata": "JSON", "unknownFields": "JSON"}'
    ) AS said,
    -- The strongest. As `bounce_of`.
    CASE WHEN has(slots, 'bounced') OR has(slots, 'soft_bounced') OR has(slots, 'retry_exhausted') THEN
      json_extract(facts, concat('$.', list_min(list_filter(
        slots, lambda each: each IN ('bounced', 'soft_bounced', 'retry_exhausted')
      )), '[0][2]'))
    END AS bounce,
    -- The earliest. As `failure_of`.
    CASE WHEN has(slots, 'failed') OR has(slots, 'rejected') OR has(slots, 'rendering_failed') OR has(slots, 'retry_exhausted') THEN
      list_min(list_transform(
        list_filter(slots, lambda each: each IN ('failed', 'rejected', 'rendering_failed', 'retry_exhausted')),
        lambda each: {
          'time': json_extract_string(facts, concat('$.', each, '[0][0]')),
          'id': json_extract_string(facts, concat('$.', each, '[0][1]')),
          'slot': each,
          'says': json_extract(facts, concat('$.', each, '[0][2]'))
        }
      ))
    END AS failure
  FROM mails_known
);
