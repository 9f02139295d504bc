-- Whoever reads a sandbox mailbox asks first whether something of that chain is under way.
CREATE INDEX delivery_chain_id_next_attempt_at_idx ON delivery (chain_id, next_attempt_at)
    WHERE state IN ('QUEUED', 'SENDING');
