-- What files of the archive say of themselves: which range of their shard they hold, and behind which record.
SELECT
  file_name AS file,
  max(decode(value)) FILTER (decode(key) = 'shard') AS shard,
  max(decode(value)) FILTER (decode(key) = 'after') AS "after",
  max(decode(value)) FILTER (decode(key) = 'first') AS "first",
  max(decode(value)) FILTER (decode(key) = 'last') AS "last",
  max(decode(value)) FILTER (decode(key) = 'count') AS "count"
FROM parquet_kv_metadata($files)
WHERE decode(key) IN ('shard', 'after', 'first', 'last', 'count')
GROUP BY file_name;
