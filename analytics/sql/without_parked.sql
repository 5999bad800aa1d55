-- Every record but those that the projector has parked.
CREATE OR REPLACE VIEW events AS FROM bounded ANTI JOIN parked USING (shard, sequence);
