-- Contacts are the only events that are ever erased: these are found by their member.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE INDEX outbox_contact_idx ON outbox (chain_id, key)
    WHERE topic = 'loyalty.enrollment.contact.v1';
