-- The reputation fold, as projections/reputation.py has it for the stream.
-- Needs `reputation_dealt`: what reputation_told.sql says of all events, or of those about some of the minutes; and the
-- variable `with_simulator`: whether mails to the mailbox simulator count.
-- Repetition and order of the events change nothing.

-- A mail by its SES message id. As `digest`.
CREATE OR REPLACE MACRO digest(message_id) AS unhex(left(sha256(message_id), 18));

-- For each minute the digests of the mails accepted in it, and of those that bounced for good. As `join`.
CREATE OR REPLACE VIEW reputation AS
SELECT
  strftime(minute, '%Y-%m-%d') AS day,
  strftime(minute, '%H:%M') AS minute,
  list(digest(ses_message_id)) AS accepted,
  coalesce(list(digest(ses_message_id)) FILTER (bounced), []) AS bounced
FROM (
  SELECT minute, ses_message_id, bool_or(bounced) AS bounced
  FROM reputation_dealt
  WHERE NOT simulated OR coalesce(getvariable('with_simulator'), false)
  GROUP BY ALL
)
GROUP BY ALL;
