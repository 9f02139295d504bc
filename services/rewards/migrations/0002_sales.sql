-- Rewards on sales (ADR 0012).

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- The open sale that a reward is on, or the sale that it was used on.
ALTER TABLE reward ADD COLUMN sale_id uuid;
ALTER TABLE reward ADD CHECK (state <> 'voided' OR sale_id IS NULL);
-- A coupon that is on a sale must come off it before it is void, so it too may be voiding.
ALTER TABLE reward DROP CONSTRAINT reward_check5;
ALTER TABLE reward ADD CHECK (offer_id IS NULL OR state <> 'pending');

-- Also a reward that goes on a sale or off it, or that is voided on one without its points.
ALTER TABLE settlement DROP CONSTRAINT settlement_kind_check;
ALTER TABLE settlement ADD CONSTRAINT settlement_kind_check
    CHECK (kind IN ('take', 'void', 'undo', 'apply', 'remove', 'void_kept'));
-- A reward may go on sales and off them many times; this tells one settlement from the next.
ALTER TABLE settlement ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();

-- What became of rewards on counted sales, as points says; once a reward and sale; append-only.
-- One that a settlement is still at looks here when it is done.
CREATE TABLE sale_fact (
    chain_id      uuid        NOT NULL,
    reward_id     uuid        NOT NULL,
    sale_id       uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('used', 'returned')),
    salon_id      uuid,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reward_id, sale_id, kind)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rewards') THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON sale_fact FROM rewards;
    END IF;
END
$$;
