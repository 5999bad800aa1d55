"""An archive of many mails, in the layout, the types and the encoding that the archiver writes: by DuckDB, quickly."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archive import COLUMNS

__all__ = ["write_archive"]

MAILS_A_FILE = 19_000  # the records about as many are 64 MB, at which the archiver writes a file
MILLISECONDS_A_MAIL = 28  # three million a day, so a file spans nine minutes

_TYPES = {
    "string": pa.string(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
    "int32": pa.int32(),
    "bool": pa.bool_(),
}
_SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])

# What happens to how many of a hundred mails, how long after they were sent. The mail's own bounce has a later dice.
_KINDS = """
(VALUES
  ('Mail Sent', '', 0, 0, 100), ('Send', 'a', 200, 0, 100), ('Delivery', 'd', 2000, 0, 95),
  ('Bounce', 'b', 3000, 95, 100), ('Open', 'o', 3600000, 0, 30), ('Click', 'c', 7200000, 0, 4)
) AS kinds(kind, mark, later, from_dice, to_dice)
"""
LATEST = 7_200_000

# The events of one stretch of time: about other mails the later they come.
_EVENTS = f"""
SELECT
  kind,
  mark,
  n,
  'order-' || n AS email_id,
  md5('sent' || n) AS id,
  '0100' || md5('ses' || n) || '-000000' AS ses_message_id,
  'person' || n % 700000 || '@customer' || n % 50 || '.example' AS recipient,
  TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_milliseconds(n * {MILLISECONDS_A_MAIL}) AS sent,
  sent + to_milliseconds(later) AS time,
  n % 100 AS dice
FROM {_KINDS}, LATERAL unnest(range(
  greatest(0, $first - later // {MILLISECONDS_A_MAIL}), least($mails, $last - later // {MILLISECONDS_A_MAIL})
)) AS numbers(n)
WHERE dice >= from_dice AND dice < to_dice
"""

_ROWS = f"""
SELECT
  if(kind = 'Mail Sent', id, md5(id || mark)) AS event_id,
  kind,
  time,
  time + INTERVAL 1 SECOND AS arrival,
  'shardId-000000000001' AS shard,
  lpad(CAST(row_number() OVER (ORDER BY time, n) + $first * 10 AS VARCHAR), 60, '0') AS sequence,
  email_id,
  email_id AS original_email_id,
  0 AS attempt,
  recipient AS recipient_key,
  split_part(recipient, '@', 2) AS domain,
  if(kind = 'Mail Sent', 'shop', NULL) AS source,
  if(kind = 'Mail Sent', 'welcome', NULL) AS template,
  if(kind = 'Mail Sent', 'Your order ' || n, NULL) AS subject,
  ses_message_id,
  if(kind = 'Mail Sent', NULL, sent) AS mail_time,
  CASE WHEN kind = 'Bounce' THEN if(dice < 98, 'Permanent', 'Transient') END AS bounce_type,
  CASE WHEN kind = 'Bounce' THEN 'General' END AS bounce_sub_type,
  NULL AS complaint_type,
  CASE WHEN kind = 'Click' THEN 'https://shop.example/orders/' || n END AS link,
  CASE WHEN kind IN ('Open', 'Click') THEN 'browser' END AS agent_class,
  CASE WHEN kind IN ('Open', 'Click') THEN dice % 3 = 0 END AS machine,
  NULL AS error_code,
  CASE WHEN kind = 'Mail Sent' THEN '{{"campaignId":"c' || n % 40 || '","variant":"' || n % 2 || '"}}' END AS metadata,
  CASE
    WHEN kind = 'Mail Sent' THEN
      '{{"toEmail":"' || recipient || '","eventId":"' || md5('asked' || n)
      || '","place":{{"shard":"shardId-000000000001","sequence":"' || lpad(CAST(n AS VARCHAR), 56, '0')
      || '"}},"unknownFields":[],"schemaVersion":1}}'
    WHEN kind = 'Bounce' THEN
      '{{"feedbackId":"' || id || '","smtpStatus":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown",'
      || '"recipients":["' || recipient || '"]}}'
    ELSE '{{"recipients":["' || recipient || '"]}}'
  END AS rest
FROM ({_EVENTS})
ORDER BY sequence
"""


def write_archive(folder: Path, mails: int) -> int:
    """Returns the number of events. Files hold one contiguous range each, in the order of the log."""
    connection, events = duckdb.connect(), 0
    connection.execute("SET TimeZone = 'UTC'")
    for first in range(0, mails + LATEST // MILLISECONDS_A_MAIL, MAILS_A_FILE):
        stretch = {"first": first, "last": first + MAILS_A_FILE, "mails": mails}
        rows = connection.execute(_ROWS, stretch).to_arrow_table().cast(_SCHEMA)
        hours = first * MILLISECONDS_A_MAIL // 3_600_000
        hour = folder / "events" / f"dt=2026-10-{hours // 24 + 1:02}" / f"hh={hours % 24:02}"
        hour.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, hour / f"shardId-000000000001_{first:060}.parquet", compression="zstd")
        events += rows.num_rows
    return events
