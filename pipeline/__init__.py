"""The log: envelope and event kinds, codec, ids, append and read, archive schema, settings."""
