-- Which lot a posting opened: the ledger shows what is left of it, a refund takes a sale's own first.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE INDEX lot_chain_id_posting_id_idx ON lot (chain_id, posting_id);
