-- Facts about rewards are listed by when they were taken down, so that who follows misses none.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- recorded_at follows the chain's clock from now on, and the statement that writes says it.
UPDATE reward_event SET recorded_at = reward_event.occurred_at
FROM business_clock
WHERE business_clock.chain_id = reward_event.chain_id
  AND reward_event.recorded_at < reward_event.occurred_at;
ALTER TABLE reward_event ALTER COLUMN recorded_at SET DEFAULT statement_timestamp();

-- A chain's facts are only listed in this order; those of a member, account or reward in both.
DROP INDEX reward_event_occurred_at_idx;
CREATE INDEX reward_event_recorded_at_idx ON reward_event (chain_id, recorded_at DESC, id DESC);
