-- Every event paid for three indexes twice, when it was written and when it was marked as published,
-- though none of them serves a request: a law, the hourly purge and an erasure can look for theirs.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE outbox DROP CONSTRAINT outbox_event_id_key;
DROP INDEX outbox_published_at_idx;
DROP INDEX outbox_chain_id_topic_key_idx;
CREATE INDEX outbox_recorded_at_idx ON outbox USING brin (recorded_at);
