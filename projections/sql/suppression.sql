-- The suppression fold, as projections/suppression.py has it for the stream.
-- Needs `suppression_dealt`: what suppression_told.sql says of all events, or of those about some of the addresses.
-- Repetition and order of the events change nothing.

-- How many of each are kept. As `KEPT`.
CREATE OR REPLACE MACRO kept() AS 500;

-- The latest of those that aren't older than the release, the latest first. As `_since`.
CREATE OR REPLACE MACRO latest(told, released) AS coalesce(list_slice(
  list_reverse_sort(list_distinct(list_filter(told, lambda each: each.time >= released))), 1, kept()
), []);

-- The history of each address. As `join`.
CREATE OR REPLACE VIEW suppression AS
SELECT
  address,
  released,
  latest(causes, released) AS causes,
  latest(soft, released) AS soft,
  latest(arrived, released) AS arrived
FROM (
  SELECT
    address,
    coalesce(max(time) FILTER (what = 'released'), '') AS released,
    list({'time': time, 'id': id, 'kind': kind, 'reason': reason, 'email_id': email_id})
      FILTER (what = 'cause') AS causes,
    list({'time': time, 'id': id}) FILTER (what = 'soft') AS soft,
    list({'time': time, 'id': id}) FILTER (what = 'arrived') AS arrived
  FROM suppression_dealt
  GROUP BY address
);
