"""An archive of many mails, in the layout and the types that the archiver writes: made by DuckDB, in a moment."""

from pathlib import Path

import duckdb

from pipeline.archive import COLUMNS

__all__ = ["write_archive"]

MAILS_A_FILE = 60_000  # about what fits into a flush of the archiver's

_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMPTZ", "int32": "INTEGER", "bool": "BOOLEAN"}

_MAILS = """
CREATE OR REPLACE TEMP TABLE mails AS
SELECT
  n,
  'order-' || n AS email_id,
  md5('sent' || n) AS id,
  '0100' || md5('ses' || n) || '-000000' AS ses_message_id,
  'person' || n % 700000 || '@customer' || n % 50 || '.example' AS recipient,
  TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_milliseconds(n * 700) AS sent,
  n % 100 AS dice
FROM range($first, $last) AS numbers(n)
"""

# Of a hundred mails: all are sent and accepted, 95 delivered, 30 opened, 10 of them by machines, 6 clicked,
# 3 bounced, 2 bounced softly.
_EVENTS = """
SELECT * FROM (
  SELECT *, 'Mail Sent' AS kind, sent AS time, '' AS mark FROM mails
  UNION ALL SELECT *, 'Send', sent + INTERVAL 200 MILLISECONDS, 'a' FROM mails
  UNION ALL SELECT *, 'Delivery', sent + INTERVAL 2 SECONDS, 'd' FROM mails WHERE dice < 95
  UNION ALL SELECT *, 'Open', sent + INTERVAL 1 HOUR, 'o' FROM mails WHERE dice < 30
  UNION ALL SELECT *, 'Click', sent + INTERVAL 2 HOURS, 'c' FROM mails WHERE dice < 4
  UNION ALL SELECT *, 'Bounce', sent + INTERVAL 3 SECONDS, 'b' FROM mails WHERE dice >= 95
)
"""

_ROWS = f"""
SELECT
  CASE WHEN kind = 'Mail Sent' THEN id ELSE md5(id || mark) END AS event_id,
  kind,
  time,
  time + INTERVAL 1 SECOND AS arrival,
  'shardId-000000000001' AS shard,
  lpad(CAST(row_number() OVER (ORDER BY time) + $first * 10 AS VARCHAR), 60, '0') AS sequence,
  email_id,
  email_id AS original_email_id,
  0 AS attempt,
  recipient AS recipient_key,
  split_part(recipient, '@', 2) AS domain,
  CASE WHEN kind = 'Mail Sent' THEN 'shop' END AS source,
  CASE WHEN kind = 'Mail Sent' THEN 'welcome' END AS template,
  CASE WHEN kind = 'Mail Sent' THEN 'Your order ' || n END AS subject,
  ses_message_id,
  CASE WHEN kind <> 'Mail Sent' THEN sent END AS mail_time,
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
"""


def write_archive(folder: Path, mails: int) -> int:
    """Returns the number of events. Files hold one contiguous range each, in the order of the log."""
    connection, events = duckdb.connect(), 0
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f"CAST({name} AS {_TYPES[kind]}) AS {name}" for name, kind in COLUMNS.items())
    for first in range(0, mails, MAILS_A_FILE):
        last = min(first + MAILS_A_FILE, mails)
        connection.execute(_MAILS, {"first": first, "last": last})
        hour = folder / "events" / "dt=2026-10-01" / f"hh={first // MAILS_A_FILE % 24:02}"
        hour.mkdir(parents=True, exist_ok=True)
        path = hour / f"shardId-000000000001_{first:060}.parquet"
        (count,) = connection.execute(
            f"COPY (SELECT {columns} FROM ({_ROWS}) ORDER BY sequence) TO '{path}' (FORMAT parquet, COMPRESSION zstd)",
            {"first": first},
        ).fetchone() or (0,)
        events += count
    return events
