-- Entries are listed by when they were taken down, so that who follows them misses none.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- recorded_at follows the chain's clock from now on; a sandbox's runs ahead of real time.
UPDATE posting SET recorded_at = posting.occurred_at
FROM business_clock
WHERE business_clock.chain_id = posting.chain_id AND posting.recorded_at < posting.occurred_at;

-- A chain's entries are only listed in this order; those of an account in both.
DROP INDEX posting_chain_id_occurred_at_idx;
CREATE INDEX posting_chain_id_recorded_at_idx ON posting (chain_id, recorded_at, id);
