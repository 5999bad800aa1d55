-- What each archived event says of a mail, as projections/status.py and tracking.of have it for the stream.
-- Needs the view `events` (analytics.duckdb).
--
-- JSON is put together as text wherever what it consists of is known, since that is much faster than DuckDB's
-- functions for it; the archiver writes it without blanks.

-- A field of a JSON object with the comma behind it; NULL, which `concat` leaves out, for NULL.
CREATE OR REPLACE MACRO field(name, value) AS CASE
  WHEN value IS NOT NULL THEN concat('"', name, '":', to_json(value), ',')
END;

-- One row for each event that is a fact about a mail: which slot of which mail it fills, and what it says (JSON).
-- `decided`: the mail was decided on at that time or before. As `slot_of` and `tracking.of`.
CREATE OR REPLACE VIEW mails_told AS
SELECT
  if(slot = 'retry_not_needed', original_email_id, email_id) AS mail,
  slot,
  strftime(time, '%Y-%m-%dT%H:%M:%S.%gZ') AS time,
  event_id AS id,
  coalesce(mail_time, time) AS decided,
  CASE
    WHEN slot IN ('sent', 'failed') THEN concat(
      '{', field('originalEmailId', original_email_id), field('originalSource', source),
      field('templateName', template), field('subject', subject), field('sesMessageId', ses_message_id),
      field('errorCode', error_code), field('retryAttempt', attempt),
      '"metadata":', coalesce(metadata, '{}'), ',', regexp_replace(rest[2:], ',"schemaVersion":\d+', '')
    )
    WHEN slot = 'retry_not_needed' THEN concat(
      '{', field('toEmail', rest ->> '$.toEmail'), field('retryId', email_id),
      field('sesMessageId', ses_message_id), field('reason', rest ->> '$.reason'),
      '"originalEmailId":', to_json(original_email_id), '}'
    )
    ELSE concat(
      '{', field('toEmail', rest ->> '$.recipients[0]'), field('originalEmailId', original_email_id),
      field('bounceType', bounce_type), field('bounceSubType', bounce_sub_type),
      field('complaintFeedbackType', complaint_type),
      field('link', link), field('agentClass', agent_class), field('machine', machine),
      field('sesMessageId', ses_message_id), '"retryAttempt":', attempt,
      CASE
        WHEN starts_with(rest, '{"recipients":') THEN '}'
        ELSE ',' || json_merge_patch(rest, '{"recipients":null}')[2:]
      END
    )
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
