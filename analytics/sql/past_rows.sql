-- The rows of files of the archive that had arrived by a moment, as `pipeline.archived` reads them.
-- Times are UTC, without a zone.
CREATE OR REPLACE MACRO past_rows(files, moment) AS TABLE
SELECT
  event_id,
  kind,
  make_timestamp(epoch_us(time)) AS time,
  email_id,
  original_email_id,
  attempt,
  recipient_key,
  source,
  template,
  subject,
  ses_message_id,
  make_timestamp(epoch_us(mail_time)) AS mail_time,
  bounce_type,
  bounce_sub_type,
  complaint_type,
  link,
  agent_class,
  machine,
  error_code,
  metadata,
  rest
FROM read_parquet(files, union_by_name = true, hive_partitioning = false)
WHERE arrival <= CAST(moment AS TIMESTAMPTZ);
