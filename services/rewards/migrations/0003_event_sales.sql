-- Facts about rewards name the sale that they are of.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Taken or used on this sale, or given back by its refund.
ALTER TABLE reward_event ADD COLUMN sale_id uuid
    CHECK (sale_id IS NULL OR kind IN ('taken', 'used', 'restored'));
UPDATE reward_event
SET sale_id = sale_fact.sale_id
FROM sale_fact
WHERE sale_fact.chain_id = reward_event.chain_id
  AND sale_fact.reward_id = reward_event.reward_id
  AND sale_fact.occurred_at = reward_event.occurred_at
  AND reward_event.kind = CASE sale_fact.kind WHEN 'used' THEN 'used' ELSE 'restored' END;
CREATE INDEX reward_event_sale_id_idx
    ON reward_event (chain_id, sale_id, occurred_at DESC, id DESC) WHERE sale_id IS NOT NULL;
