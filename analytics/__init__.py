"""DuckDB over the archive: what the log says about campaigns and deliverability."""
