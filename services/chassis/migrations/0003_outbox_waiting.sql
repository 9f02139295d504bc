-- What still waits to be published stands in a list of its own: to mark an event by an update wrote
-- its whole wide row again, and an entry in each index, only to take it off an index.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- A queue: every row goes soon after it came, so that a share of the table says nothing of how much
-- of it is dead. It grows again at once: giving its end back would only lock out whoever appends.
CREATE TABLE outbox_waiting (
    id            bigint      PRIMARY KEY,
    -- When a replay put it back; NULL: it has not left yet.
    replayed_at   timestamptz
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    vacuum_truncate = false
);

-- The version before may run beside this schema, and does not know the list: what it writes leaves
-- published_at open, comes on the list by this trigger, and is marked as it always was. Ours writes
-- a moment there. A later migration drops the trigger, the index and the columns.
CREATE FUNCTION outbox_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox_waiting (id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_wait AFTER INSERT ON outbox
    FOR EACH ROW WHEN (NEW.published_at IS NULL) EXECUTE FUNCTION outbox_wait();

-- The trigger's lock has let every earlier writer finish.
INSERT INTO outbox_waiting (id) SELECT id FROM outbox WHERE published_at IS NULL;
