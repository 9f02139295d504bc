-- A sale earns when it is counted, unless its till said when it was sold.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Whether the till gave `occurred_at` itself, as one that was without network does.
ALTER TABLE sale ADD COLUMN dated boolean NOT NULL DEFAULT false;
