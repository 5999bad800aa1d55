-- Every record of the archive. Files lie under their first record's arrival hour (dt, hh).
CREATE OR REPLACE VIEW events AS
SELECT *
FROM read_parquet(getvariable('archive') || '/events/*/*/*.parquet', hive_partitioning = true, union_by_name = true);
