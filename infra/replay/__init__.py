"""Replay: the projections computed again from the log, and joined into the tables or compared with them.

bounds ─► source: archive + tail of the stream, as one view ─► folding, partition by partition ─► tables
"""
