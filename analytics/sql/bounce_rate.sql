-- Bounce rate of a UTC day: Permanent bounces (without suppression-list subtypes) of mails that SES accepted
-- that day ÷ mails accepted that day. From feedback alone, and of distinct message ids: repetition changes nothing.
-- $simulator: whether mails to the mailbox simulator count (they do on one machine, never in an account).
SELECT
  CAST(mail_time AS DATE) AS day,
  count(DISTINCT ses_message_id) AS accepted,
  count(DISTINCT ses_message_id) FILTER (
    kind = 'Bounce'
    AND bounce_type = 'Permanent'
    AND bounce_sub_type NOT IN ('Suppressed', 'OnAccountSuppressionList', 'OnTenantSuppressionList')
  ) AS bounced,
  bounced / accepted AS rate
FROM events
WHERE mail_time IS NOT NULL
  AND kind NOT IN ('Reject', 'Rendering Failure')
  AND ($simulator OR domain <> 'simulator.amazonses.com')
GROUP BY day
ORDER BY day;
