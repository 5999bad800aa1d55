-- What each archived event says of a mail, as projections/status.py and tracking.of have it for the stream.
-- Needs the view `events` (analytics.duckdb).
--
-- JSON is put together as text, since what it consists of is known; the archiver writes it in ASCII without blanks.

-- A further field of a JSON object; NULL, which `concat` leaves out, for NULL.
CREATE OR REPLACE MACRO further(name, value) AS CASE
  WHEN value IS NOT NULL THEN concat(',"', name, '":', to_json(value))
END;

-- `rest` but for the version of the schema, which is its last field, and for the brace that closes it.
CREATE OR REPLACE MACRO opened(rest) AS split_part(rest, ',"schemaVersion":', 1);

-- One row for each event that is a fact about a mail: which slot of which mail it fills, and what it says (JSON).
-- `decided`: the mail was decided on at that time or before. As `slot_of` and `tracking.of`.
CREATE OR REPLACE VIEW mails_told AS
SELECT
  if(slot = 'retry_not_needed', original_email_id, email_id) AS mail,
  slot,
  make_timestamp(epoch_us(time)) AS time,
  event_id AS id,
  make_timestamp(epoch_us(coalesce(mail_time, time))) AS decided,
  CASE
    WHEN slot IN ('sent', 'failed') THEN concat(
      opened(rest), ',"originalEmailId":', to_json(original_email_id), ',"retryAttempt":', attempt,
      further('originalSource', source), further('templateName', template), further('subject', subject),
      further('sesMessageId', ses_message_id), further('errorCode', error_code),
      ',"metadata":', coalesce(metadata, '{}'), '}'
    )
    WHEN slot = 'retry_not_needed' THEN concat(
      '{"originalEmailId":', to_json(original_email_id), further('retryId', email_id),
      further('toEmail', rest ->> '$.toEmail'), further('sesMessageId', ses_message_id),
      further('reason', rest ->> '$.reason'), '}'
    )
    ELSE concat(
      '{"originalEmailId":', to_json(original_email_id), ',"retryAttempt":', attempt,
      ',"sesMessageId":', to_json(ses_message_id), ',"toEmail":' || (rest -> '$.recipients[0]'),
      -- Most events say no more than that.
      CASE WHEN slot NOT IN ('accepted', 'delivered') THEN concat(
        further('bounceType', bounce_type), further('bounceSubType', bounce_sub_type),
        further('complaintFeedbackType', complaint_type),
        further('link', link), further('agentClass', agent_class), further('machine', machine)
      ) END,
      CASE WHEN NOT starts_with(rest, '{"recipients":') THEN
        concat(',', json_merge_patch(rest, '{"recipients":null}')[2:-2])
      END,
      '}'
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
