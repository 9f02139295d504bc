-- The ledger of points: double-entry, append-only (ADR 0004).
--
-- No foreign keys: they would add one look-up per row to the hot path, and shards by chain_id do
-- not keep them across. `python -m services.points.ledger_check` proves what they would promise.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- A member's account. Narrow, with room on the page and no index on what changes, so that an earn
-- updates it in place. balance and lifetime_points are sums of its postings, kept beside them.
CREATE TABLE account (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    balance         bigint      NOT NULL DEFAULT 0,
    lifetime_points bigint      NOT NULL DEFAULT 0 CHECK (lifetime_points >= 0),
    sequence        bigint      NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    opened_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX account_chain_id_member_id_program_id_idx
    ON account (chain_id, member_id, program_id);
CREATE INDEX account_chain_id_opened_at_idx ON account (chain_id, opened_at, id);

-- A program's own accounts: where points come from and where they go. They keep no balance, for
-- every earn of a chain would change that one row; their sums are read from the postings.
CREATE TABLE program_account (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    side            text        NOT NULL
                    CHECK (side IN ('issued', 'redeemed', 'adjusted', 'expired')),
    PRIMARY KEY (chain_id, id),
    UNIQUE (chain_id, program_id, side)
);

-- One movement of points. Exactly one of source and destination is a member's account
-- (account_id); the other is its program's. Ids are ordered by time, so that the index grows at its
-- end and the table may be partitioned by id.
CREATE TABLE posting (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    source          uuid        NOT NULL,
    destination     uuid        NOT NULL,
    points          bigint      NOT NULL CHECK (points > 0),
    kind            text        NOT NULL
                    CHECK (kind IN ('earn', 'adjustment', 'reward', 'reward_return')),
    -- Of the account, without gaps.
    sequence        bigint      NOT NULL CHECK (sequence > 0),
    balance_after   bigint      NOT NULL,
    earn_source     text,
    reason          text,
    note            text,
    salon_id        uuid,
    actor_kind      text,
    actor_id        text,
    reward_id       uuid,
    sale_id         uuid,
    -- The posting that this one undoes.
    reverses        uuid,
    -- What happens once whoever sends it: a grant used, a reward paid for, a sale.
    business_key    text,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id),
    CHECK (source <> destination AND account_id IN (source, destination))
);
CREATE UNIQUE INDEX posting_chain_id_account_id_sequence_idx
    ON posting (chain_id, account_id, sequence);
CREATE INDEX posting_chain_id_account_id_occurred_at_idx
    ON posting (chain_id, account_id, occurred_at, id);
CREATE INDEX posting_chain_id_occurred_at_idx ON posting (chain_id, occurred_at, id);
CREATE UNIQUE INDEX posting_chain_id_business_key_idx
    ON posting (chain_id, business_key) WHERE business_key IS NOT NULL;

-- Points that came together. remaining = points - the sum of the uses.
CREATE TABLE lot (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    posting_id      uuid        NOT NULL,
    points          bigint      NOT NULL CHECK (points > 0),
    remaining       bigint      NOT NULL CHECK (remaining BETWEEN 0 AND points),
    -- The first instant after the last usable day; NULL: never.
    expires_at      timestamptz,
    -- The policy in force when they were earned: 'never' or a period such as 'P3M'.
    policy          text        NOT NULL,
    salon_id        uuid,
    earned_at       timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id)
) WITH (fillfactor = 80);
CREATE INDEX lot_chain_id_account_id_open_idx
    ON lot (chain_id, account_id, expires_at, earned_at, id) WHERE remaining > 0;

-- What a posting took out of a lot; negative where it put points back.
CREATE TABLE lot_use (
    chain_id        uuid        NOT NULL,
    posting_id      uuid        NOT NULL,
    lot_id          uuid        NOT NULL,
    points          bigint      NOT NULL CHECK (points <> 0),
    PRIMARY KEY (chain_id, posting_id, lot_id)
);

-- Append-only: the service's role may read and add, and that is all.
REVOKE UPDATE, DELETE, TRUNCATE ON posting, lot_use FROM points;
REVOKE DELETE, TRUNCATE ON account, lot, program_account FROM points;
REVOKE UPDATE ON program_account FROM points;
