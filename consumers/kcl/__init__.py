"""Consumers under the Kinesis Client Library: the daemon, its properties, and the processor of a shard."""
