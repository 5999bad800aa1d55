-- Every record of some files up to a sequence number for each shard, within some time.
-- Needs the variables `whole` and `cut` (lists of files, of which those of `cut` reach past the bound of their shard), `since`
-- and `until` (arrival; NULL for no limit), and the table `bounds` (shard, bound as text).
CREATE OR REPLACE VIEW bounded AS
SELECT *
FROM (
  FROM read_parquet(getvariable('whole'), union_by_name = true, hive_partitioning = false)
  UNION ALL BY NAME
  SELECT cut.*
  FROM read_parquet(getvariable('cut'), union_by_name = true, hive_partitioning = false) AS cut
  JOIN bounds ON cut.shard = bounds.shard AND cut.sequence <= bounds.bound
)
WHERE arrival >= coalesce(CAST(getvariable('since') AS TIMESTAMPTZ), TIMESTAMPTZ '-infinity')
  AND arrival < coalesce(CAST(getvariable('until') AS TIMESTAMPTZ), TIMESTAMPTZ 'infinity');

CREATE OR REPLACE VIEW events AS FROM bounded;

-- What the projector could not process stands in no table; once it is redriven it stands in the log again.
CREATE OR REPLACE TEMP TABLE parked AS
SELECT DISTINCT rest ->> '$.place.shard' AS shard, rest ->> '$.place.sequence' AS sequence
FROM bounded
WHERE kind = 'Record Parked' AND (rest ->> '$.consumer') = 'projector';
