-- The tracking fold over the archive, as projections/status.py, tracking.py and rows.py have it for the stream.
-- Needs the view `events` (analytics.connect). Repetition and order of the events change nothing.

-- One row for each event that is a fact about a mail: which slot of which mail it fills, and what it says (JSON).
-- `decided`: the mail was decided on at that time or before. As `slot_of` and `tracking.of`.
CREATE OR REPLACE VIEW told AS
SELECT
  CASE WHEN slot = 'retry_not_needed' THEN original_email_id ELSE email_id END AS mail,
  slot,
  strftime(time, '%Y-%m-%dT%H:%M:%S.%gZ') AS time,
  event_id AS id,
  strftime(coalesce(mail_time, time), '%Y-%m-%dT%H:%M:%S.%gZ') AS decided,
  CASE
    WHEN mail_time IS NOT NULL THEN json_merge_patch(rest, json_object(
      'recipients', NULL,
      'toEmail', rest ->> '$.recipients[0]',
      'originalEmailId', original_email_id,
      'retryAttempt', attempt,
      'sesMessageId', ses_message_id,
      'bounceType', bounce_type,
      'bounceSubType', bounce_sub_type,
      'complaintFeedbackType', complaint_type,
      'link', link,
      'agentClass', agent_class,
      'machine', machine
    ))
    WHEN slot = 'retry_not_needed' THEN json_merge_patch('{}', json_object(
      'toEmail', rest ->> '$.toEmail',
      'originalEmailId', original_email_id,
      'retryId', email_id,
      'sesMessageId', ses_message_id,
      'reason', rest ->> '$.reason'
    ))
    ELSE json_merge_patch(json_object('metadata', coalesce(metadata, '{}')::JSON), rest, json_object(
      'schemaVersion', NULL,
      'originalEmailId', original_email_id,
      'retryAttempt', attempt,
      'originalSource', source,
      'templateName', template,
      'subject', subject,
      'sesMessageId', ses_message_id,
      'errorCode', error_code
    ))
  END AS says
FROM (
  SELECT
    *,
    CASE
      WHEN mail_time IS NULL AND rest IS NOT NULL THEN CASE kind
        WHEN 'Mail Sent' THEN 'sent'
        WHEN 'Mail Failed' THEN 'failed'
        WHEN 'Retry Not Needed' THEN 'retry_not_needed'
      END
      WHEN mail_time IS NOT NULL AND email_id IS NOT NULL THEN CASE kind
        WHEN 'Send' THEN 'accepted'
        WHEN 'Delivery' THEN 'delivered'
        WHEN 'Bounce' THEN CASE
          WHEN bounce_type = 'Permanent' THEN 'bounced'
          WHEN attempt > 0 THEN 'retry_exhausted'
          ELSE 'soft_bounced'
        END
        WHEN 'Complaint' THEN if(coalesce(complaint_type, '') = 'not-spam', 'not_spam', 'complained')
        WHEN 'Open' THEN if(machine, 'machine_opened', 'opened')
        WHEN 'Click' THEN 'clicked'
        WHEN 'Reject' THEN 'rejected'
        WHEN 'Rendering Failure' THEN 'rendering_failed'
        WHEN 'DeliveryDelay' THEN 'delayed'
        WHEN 'Subscription' THEN 'subscription'
      END
    END AS slot
  FROM events
)
WHERE slot IS NOT NULL;

-- What is known of a mail, by slot: {time, id, says} of the first fact, and the time of the last. As `join`.
CREATE OR REPLACE VIEW mails_known AS
SELECT
  mail,
  map_from_entries(list((slot, first))) AS known,
  map_from_entries(list((slot, last))) AS lasts,
  min(decided) AS timestamp
FROM (
  SELECT
    mail,
    slot,
    arg_min({'time': time, 'id': id, 'says': says}, (time, id)) AS first,
    max(time) AS last,
    min(decided) AS decided
  FROM told
  GROUP BY mail, slot
)
GROUP BY mail;

-- Of these slots the earliest fact, with its slot; where two are one event, the slot named first.
CREATE OR REPLACE MACRO earliest(known, names) AS list_min(list_transform(
  list_filter(names, lambda name: map_contains(known, name)),
  lambda name: {
    'time': known[name].time, 'id': known[name].id, 'place': list_position(names, name),
    'slot': name, 'says': known[name].says
  }
));

-- Of these slots the first that is known.
CREATE OR REPLACE MACRO strongest(known, names) AS
  known[list_filter(names, lambda name: map_contains(known, name))[1]].says;

-- Rows of the tracking table, but for `done`, `ttl` and `version`. As `row_of`.
CREATE OR REPLACE VIEW mails AS
SELECT
  mail AS "emailId",
  CASE
    WHEN map_contains(known, 'opened') THEN 'opened'
    WHEN map_contains(known, 'delivered') THEN 'delivered'
    WHEN map_contains(known, 'bounced') THEN 'bounced'
    WHEN map_contains(known, 'complained') THEN 'complained'
    WHEN map_contains(known, 'soft_bounced') THEN 'soft_bounced'
    WHEN failure IS NOT NULL THEN 'failed'
    ELSE 'sent'
  END AS status,
  timestamp,
  source ->> '$.toEmail' AS "toEmail",
  source ->> '$.originalEmailId' AS "originalEmailId",
  CAST(source -> '$.retryAttempt' AS INTEGER) AS "retryAttempt",
  outcome ->> '$.originalSource' AS "originalSource",
  outcome ->> '$.templateName' AS "templateName",
  outcome ->> '$.subject' AS subject,
  nullif(source -> '$.metadata', '{}') AS metadata,
  coalesce(
    known['sent'].says ->> '$.sesMessageId',
    earliest(known, list_filter(
      map_keys(known), lambda name: (known[name].says -> '$.sesMessageId') IS NOT NULL
    )).says ->> '$.sesMessageId'
  ) AS "sesMessageId",
  source ->> '$.place.shard' AS "requestShard",
  source ->> '$.place.sequence' AS "requestSequence",
  source ->> '$.eventId' AS "requestEventId",
  nullif(source -> '$.unknownFields', '[]') AS "unknownFields",
  bounce ->> '$.bounceType' AS "bounceType",
  bounce ->> '$.bounceSubType' AS "bounceSubType",
  bounce ->> '$.bounceSubType' AS "bounceReason",
  bounce ->> '$.diagnosticCode' AS "bounceDiagnostic",
  known['complained'].says ->> '$.complaintFeedbackType' AS "complaintFeedbackType",
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
  known['sent'].time AS "sentAt",
  known['accepted'].time AS "acceptedAt",
  known['failed'].time AS "failedAt",
  known['rejected'].time AS "rejectedAt",
  known['rendering_failed'].time AS "renderingFailedAt",
  known['retry_exhausted'].time AS "retryExhaustedAt",
  known['retry_not_needed'].time AS "retryNotNeededAt",
  known['soft_bounced'].time AS "softBouncedAt",
  known['complained'].time AS "complainedAt",
  known['not_spam'].time AS "notSpamAt",
  known['bounced'].time AS "bouncedAt",
  known['delivered'].time AS "deliveredAt",
  known['opened'].time AS "openedAt",
  known['machine_opened'].time AS "machineOpenedAt",
  known['clicked'].time AS "clickedAt",
  known['delayed'].time AS "delayedAt",
  known['subscription'].time AS "subscriptionAt",
  to_json(map_from_entries(list_transform(map_keys(known), lambda name: (
    name, [json_array(known[name].time, known[name].id, known[name].says), to_json(lasts[name])]
  )))) AS facts
FROM (
  SELECT
    *,
    strongest(known, ['failed', 'sent']) AS outcome,
    coalesce(outcome, earliest(known, map_keys(known)).says) AS source,
    strongest(known, ['bounced', 'soft_bounced', 'retry_exhausted']) AS bounce,
    earliest(known, ['failed', 'rejected', 'rendering_failed', 'retry_exhausted']) AS failure
  FROM mails_known
);
