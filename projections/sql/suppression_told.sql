-- What each archived event says of addresses, as projections/suppression.py has it for the stream (`of`).
-- Needs the view `events` (analytics.duckdb).
--
-- `what`: released, cause, soft or arrived. `id`: of a cause the event's, else the SES message id that it counts by.
CREATE OR REPLACE VIEW suppression_told AS
SELECT
  unnest(addresses) AS address,
  what,
  strftime(make_timestamp(epoch_us(time)), '%Y-%m-%dT%H:%M:%S.%gZ') AS time,
  CASE what WHEN 'cause' THEN event_id WHEN 'released' THEN '' ELSE ses_message_id END AS id,
  CASE WHEN what = 'cause' THEN CASE kind
    WHEN 'Address Suppressed' THEN 'manual'
    WHEN 'Bounce' THEN 'bounce'
    WHEN 'Complaint' THEN 'complaint'
  END END AS kind,
  CASE WHEN what = 'cause' THEN CASE kind
    WHEN 'Address Suppressed' THEN rest ->> '$.reason'
    WHEN 'Bounce' THEN concat('hard bounce: ', bounce_sub_type)
    WHEN 'Complaint' THEN concat('complaint: ', coalesce(nullif(complaint_type, ''), 'no type given'))
  END END AS reason,
  CASE WHEN what = 'cause' THEN email_id END AS email_id
FROM (
  SELECT
    *,
    -- The archive has the key of the first recipient; the others are canonical.
    CASE
      WHEN mail_time IS NULL THEN [recipient_key]
      ELSE list_concat([recipient_key], list_transform((rest ->> '$.recipients[*]')[2:], lambda each: lower(each)))
    END AS addresses,
    CASE
      WHEN mail_time IS NULL THEN CASE kind
        WHEN 'Address Suppressed' THEN 'cause'
        WHEN 'Address Released' THEN 'released'
        WHEN 'Retry Not Needed' THEN if(ses_message_id IS NULL, NULL, 'arrived')
      END
      WHEN kind = 'Bounce' THEN CASE
        WHEN bounce_type <> 'Permanent' THEN 'soft'
        WHEN bounce_sub_type <> 'UnsubscribedRecipient' THEN 'cause'
      END
      WHEN kind = 'Complaint' AND coalesce(complaint_type, '') <> 'not-spam' THEN 'cause'
    END AS what
  FROM events
  WHERE rest IS NOT NULL AND recipient_key IS NOT NULL
)
WHERE what IS NOT NULL;
