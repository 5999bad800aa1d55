-- What each archived event says of a mail that SES accepted, as projections/reputation.py has it for the stream (`of`).
-- Needs the view `events` (analytics.duckdb).
CREATE OR REPLACE VIEW reputation_told AS
SELECT
  date_trunc('minute', make_timestamp(epoch_us(mail_time))) AS minute,
  ses_message_id,
  coalesce(
    kind = 'Bounce'
    AND bounce_type = 'Permanent'
    AND bounce_sub_type NOT IN ('Suppressed', 'OnAccountSuppressionList', 'OnTenantSuppressionList'),
    false
  ) AS bounced,
  -- The archive has the domain of the first recipient; to look for the others is dear.
  coalesce(domain = 'simulator.amazonses.com', false)
  OR (
    contains(rest, '@simulator.amazonses.com"')
    AND list_contains(
      list_transform(rest ->> '$.recipients[*]', lambda each: split_part(each, '@', -1)), 'simulator.amazonses.com'
    )
  ) AS simulated
FROM events
WHERE mail_time IS NOT NULL AND kind NOT IN ('Reject', 'Rendering Failure');
