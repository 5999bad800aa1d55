-- The tracking fold, as projections/tracking.py and rows.py have it for the stream.
-- Needs `mails_dealt`: what mails_told.sql says of all events, or of those that are about some of the mails.
-- Repetition and order of the events change nothing.

-- The first fact of a slot, as the text `["time","id",{what it says}]`. As `join`.
CREATE OR REPLACE MACRO first_of(name, slot, fact) AS split_part(min(fact) FILTER (slot = name), chr(0), 2);
CREATE OR REPLACE MACRO time_of(known) AS substring(known, 3, 24);

-- What is known of a mail: of each slot the first fact and the time of the last.
CREATE OR REPLACE VIEW mails_known AS
SELECT
  mail,
  strftime(min(decided), '%Y-%m-%dT%H:%M:%S.%gZ') AS timestamp,
  first_of('sent', slot, fact) AS sent,
  max(time) FILTER (slot = 'sent') AS last_sent,
  first_of('accepted', slot, fact) AS accepted,
  max(time) FILTER (slot = 'accepted') AS last_accepted,
  first_of('failed', slot, fact) AS failed,
  max(time) FILTER (slot = 'failed') AS last_failed,
  first_of('rejected', slot, fact) AS rejected,
  max(time) FILTER (slot = 'rejected') AS last_rejected,
  first_of('rendering_failed', slot, fact) AS rendering_failed,
  max(time) FILTER (slot = 'rendering_failed') AS last_rendering_failed,
  first_of('retry_exhausted', slot, fact) AS retry_exhausted,
  max(time) FILTER (slot = 'retry_exhausted') AS last_retry_exhausted,
  first_of('retry_not_needed', slot, fact) AS retry_not_needed,
  max(time) FILTER (slot = 'retry_not_needed') AS last_retry_not_needed,
  first_of('soft_bounced', slot, fact) AS soft_bounced,
  max(time) FILTER (slot = 'soft_bounced') AS last_soft_bounced,
  first_of('complained', slot, fact) AS complained,
  max(time) FILTER (slot = 'complained') AS last_complained,
  first_of('not_spam', slot, fact) AS not_spam,
  max(time) FILTER (slot = 'not_spam') AS last_not_spam,
  first_of('bounced', slot, fact) AS bounced,
  max(time) FILTER (slot = 'bounced') AS last_bounced,
  first_of('delivered', slot, fact) AS delivered,
  max(time) FILTER (slot = 'delivered') AS last_delivered,
  first_of('opened', slot, fact) AS opened,
  max(time) FILTER (slot = 'opened') AS last_opened,
  first_of('machine_opened', slot, fact) AS machine_opened,
  max(time) FILTER (slot = 'machine_opened') AS last_machine_opened,
  first_of('clicked', slot, fact) AS clicked,
  max(time) FILTER (slot = 'clicked') AS last_clicked,
  first_of('delayed', slot, fact) AS delayed,
  max(time) FILTER (slot = 'delayed') AS last_delayed,
  first_of('subscription', slot, fact) AS subscription,
  max(time) FILTER (slot = 'subscription') AS last_subscription
FROM (
  -- In the order of time, then id.
  SELECT *, concat(time, id, chr(0), '["', time, '",', to_json(id), ',', says, ']') AS fact FROM mails_dealt
)
GROUP BY mail;

-- A slot of the attribute `facts`; NULL, which `concat_ws` leaves out, for one that is not known.
CREATE OR REPLACE MACRO fact_text(name, known, last) AS CASE WHEN known IS NOT NULL THEN concat(
  '"', name, '":[', known, ',"', last, '"]'
) END;

-- A candidate for the earliest of some facts; `place` decides between slots that one event fills.
CREATE OR REPLACE MACRO candidate(name, known, place) AS CASE
  WHEN known IS NOT NULL
  THEN {'time': time_of(known), 'id': known ->> '$[1]', 'place': place, 'slot': name, 'fact': known}
END;

-- Rows of the tracking table, but for `done`, `ttl` and `version`. As `row_of`.
CREATE OR REPLACE VIEW mails AS
SELECT
  mail AS "emailId",
  CASE
    WHEN opened IS NOT NULL THEN 'opened'
    WHEN delivered IS NOT NULL THEN 'delivered'
    WHEN bounced IS NOT NULL THEN 'bounced'
    WHEN complained IS NOT NULL THEN 'complained'
    WHEN soft_bounced IS NOT NULL THEN 'soft_bounced'
    WHEN failure IS NOT NULL THEN 'failed'
    ELSE 'sent'
  END AS status,
  timestamp,
  said[1] AS "toEmail",
  said[2] AS "originalEmailId",
  CAST(said[3] AS INTEGER) AS "retryAttempt",
  said[4] AS "requestShard",
  said[5] AS "requestSequence",
  said[6] AS "requestEventId",
  if(outcome IS NULL, NULL, said[7]) AS "originalSource",
  if(outcome IS NULL, NULL, said[8]) AS "templateName",
  if(outcome IS NULL, NULL, said[9]) AS subject,
  nullif(said[10], '{}') AS metadata,
  nullif(said[11], '[]') AS "unknownFields",
  coalesce(
    sent ->> '$[2].sesMessageId',
    list_min(list_filter(everything, lambda each: (each.fact -> '$[2].sesMessageId') IS NOT NULL)).fact
      ->> '$[2].sesMessageId'
  ) AS "sesMessageId",
  bounce ->> '$[2].bounceType' AS "bounceType",
  bounce ->> '$[2].bounceSubType' AS "bounceSubType",
  bounce ->> '$[2].bounceSubType' AS "bounceReason",
  bounce ->> '$[2].diagnosticCode' AS "bounceDiagnostic",
  complained ->> '$[2].complaintFeedbackType' AS "complaintFeedbackType",
  CASE failure.slot
    WHEN 'failed' THEN failure.fact ->> '$[2].errorCode'
    WHEN 'rejected' THEN 'SES_REJECTED'
    WHEN 'rendering_failed' THEN 'SES_RENDERING_FAILED'
    WHEN 'retry_exhausted' THEN 'RETRY_EXHAUSTED'
  END AS "errorCode",
  CASE failure.slot
    WHEN 'failed' THEN failure.fact ->> '$[2].errorMessage'
    WHEN 'rejected' THEN
      'SES rejected the mail: ' || coalesce(failure.fact ->> '$[2].reason', 'no reason given')
    WHEN 'rendering_failed' THEN
      'SES could not render the mail: ' || coalesce(failure.fact ->> '$[2].errorMessage', 'no reason given')
    WHEN 'retry_exhausted' THEN 'Retry exhausted: ' || (failure.fact ->> '$[2].bounceSubType')
  END AS "errorMessage",
  time_of(sent) AS "sentAt",
  time_of(accepted) AS "acceptedAt",
  time_of(failed) AS "failedAt",
  time_of(rejected) AS "rejectedAt",
  time_of(rendering_failed) AS "renderingFailedAt",
  time_of(retry_exhausted) AS "retryExhaustedAt",
  time_of(retry_not_needed) AS "retryNotNeededAt",
  time_of(soft_bounced) AS "softBouncedAt",
  time_of(complained) AS "complainedAt",
  time_of(not_spam) AS "notSpamAt",
  time_of(bounced) AS "bouncedAt",
  time_of(delivered) AS "deliveredAt",
  time_of(opened) AS "openedAt",
  time_of(machine_opened) AS "machineOpenedAt",
  time_of(clicked) AS "clickedAt",
  time_of(delayed) AS "delayedAt",
  time_of(subscription) AS "subscriptionAt",
  concat('{', concat_ws(',',
    fact_text('sent', sent, last_sent),
    fact_text('accepted', accepted, last_accepted),
    fact_text('failed', failed, last_failed),
    fact_text('rejected', rejected, last_rejected),
    fact_text('rendering_failed', rendering_failed, last_rendering_failed),
    fact_text('retry_exhausted', retry_exhausted, last_retry_exhausted),
    fact_text('retry_not_needed', retry_not_needed, last_retry_not_needed),
    fact_text('soft_bounced', soft_bounced, last_soft_bounced),
    fact_text('complained', complained, last_complained),
    fact_text('not_spam', not_spam, last_not_spam),
    fact_text('bounced', bounced, last_bounced),
    fact_text('delivered', delivered, last_delivered),
    fact_text('opened', opened, last_opened),
    fact_text('machine_opened', machine_opened, last_machine_opened),
    fact_text('clicked', clicked, last_clicked),
    fact_text('delayed', delayed, last_delayed),
    fact_text('subscription', subscription, last_subscription)
  ), '}') AS facts
FROM (
  SELECT
    *,
    coalesce(failed, sent) AS outcome,
    -- Whose words stand for the request: its outcome's, or those of the feedback that came first.
    json_extract_string(coalesce(outcome, list_min(everything).fact), [
      '$[2].toEmail', '$[2].originalEmailId', '$[2].retryAttempt', '$[2].place.shard', '$[2].place.sequence', '$[2].eventId',
      '$[2].originalSource', '$[2].templateName', '$[2].subject', '$[2].metadata', '$[2].unknownFields'
    ]) AS said,
    coalesce(bounced, soft_bounced, retry_exhausted) AS bounce,
    CASE WHEN coalesce(failed, rejected, rendering_failed, retry_exhausted) IS NOT NULL THEN list_min([
      candidate('failed', failed, 1),
      candidate('rejected', rejected, 2),
      candidate('rendering_failed', rendering_failed, 3),
      candidate('retry_exhausted', retry_exhausted, 4)
    ]) END AS failure
  FROM (SELECT *, CASE WHEN sent IS NULL THEN [
      candidate('sent', sent, 1),
      candidate('accepted', accepted, 2),
      candidate('failed', failed, 3),
      candidate('rejected', rejected, 4),
      candidate('rendering_failed', rendering_failed, 5),
      candidate('retry_exhausted', retry_exhausted, 6),
      candidate('retry_not_needed', retry_not_needed, 7),
      candidate('soft_bounced', soft_bounced, 8),
      candidate('complained', complained, 9),
      candidate('not_spam', not_spam, 10),
      candidate('bounced', bounced, 11),
      candidate('delivered', delivered, 12),
      candidate('opened', opened, 13),
      candidate('machine_opened', machine_opened, 14),
      candidate('clicked', clicked, 15),
      candidate('delayed', delayed, 16),
      candidate('subscription', subscription, 17)
  ] END AS everything FROM mails_known)
);
