-- Reward definitions, members' wallets, their events, and local copies of offers and chains.

-- How many living definitions a chain has. Creating and deleting lock this row, so that two
-- creations at fourteen cannot both pass (SQ-50).
CREATE TABLE definition_count (
    chain_id      uuid        PRIMARY KEY,
    living        integer     NOT NULL CHECK (living BETWEEN 0 AND 15)
);

CREATE TABLE reward_definition (
    chain_id      uuid        NOT NULL,
    id            uuid        NOT NULL,
    program_id    uuid        NOT NULL,
    name          text        NOT NULL,
    description   text        NOT NULL,
    points        bigint      NOT NULL CHECK (points BETWEEN 1 AND 1000000),
    discount_kind text        NOT NULL CHECK (discount_kind IN ('percentage', 'amount', 'in_kind')),
    discount_percentage numeric(5, 2)
                  CHECK (discount_percentage BETWEEN 0.01 AND 100),
    discount_minor bigint     CHECK (discount_minor > 0),
    discount_currency text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    version       bigint      NOT NULL DEFAULT 1,
    PRIMARY KEY (chain_id, id),
    CHECK ((discount_kind = 'percentage') = (discount_percentage IS NOT NULL)),
    CHECK ((discount_kind = 'amount') = (discount_minor IS NOT NULL)),
    CHECK ((discount_kind = 'amount') = (discount_currency IS NOT NULL))
);
CREATE INDEX reward_definition_living_idx
    ON reward_definition (chain_id, points, id) WHERE deleted_at IS NULL;

-- Every version of every definition with who made it; append-only.
CREATE TABLE reward_definition_version (
    chain_id      uuid        NOT NULL,
    definition_id uuid        NOT NULL,
    version       bigint      NOT NULL,
    program_id    uuid        NOT NULL,
    name          text        NOT NULL,
    description   text        NOT NULL,
    points        bigint      NOT NULL,
    discount_kind text        NOT NULL,
    discount_percentage numeric(5, 2),
    discount_minor bigint,
    discount_currency text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, definition_id, version)
);

-- A member's wallet. Terms are copied at the take and never follow their source (SQ-49).
CREATE TABLE reward (
    chain_id      uuid        NOT NULL,
    id            uuid        NOT NULL,
    member_id     uuid        NOT NULL,
    account_id    uuid,
    program_id    uuid,
    definition_id uuid,
    offer_id      uuid,
    name          text        NOT NULL,
    description   text        NOT NULL,
    exclusion     text        NOT NULL,
    points        bigint      NOT NULL CHECK (points >= 0),
    discount_kind text        CHECK (discount_kind IN ('percentage', 'amount', 'in_kind')),
    discount_percentage numeric(5, 2),
    discount_minor bigint,
    discount_currency text,
    state         text        NOT NULL CHECK (state IN
                  ('pending', 'issued', 'redeemed', 'voiding', 'voided', 'expired')),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    redeemed_at   timestamptz,
    display_until timestamptz,
    used_by_session text      NOT NULL DEFAULT '',
    redeemed_salon_id uuid,
    expires_at    timestamptz,
    voided_at     timestamptz,
    points_returned boolean   NOT NULL DEFAULT false,
    version       bigint      NOT NULL DEFAULT 1,
    PRIMARY KEY (chain_id, id),
    -- Either a reward, paid from an account, or a coupon, which costs nothing.
    CHECK ((definition_id IS NULL) <> (offer_id IS NULL)),
    CHECK ((definition_id IS NULL) = (account_id IS NULL)),
    CHECK ((definition_id IS NULL) = (program_id IS NULL)),
    CHECK (definition_id IS NULL OR points > 0),
    CHECK (offer_id IS NULL OR points = 0),
    CHECK (offer_id IS NULL OR state NOT IN ('pending', 'voiding')),
    CHECK ((state = 'redeemed') = (redeemed_at IS NOT NULL)),
    CHECK ((state = 'redeemed') = (display_until IS NOT NULL)),
    CHECK ((state = 'voided') = (voided_at IS NOT NULL))
);
-- Once a member and offer (LS-53).
CREATE UNIQUE INDEX reward_member_id_offer_id_idx
    ON reward (chain_id, member_id, offer_id) WHERE offer_id IS NOT NULL;
CREATE INDEX reward_member_id_idx ON reward (chain_id, member_id, updated_at DESC, id DESC);
CREATE INDEX reward_account_id_idx ON reward (chain_id, account_id, updated_at DESC, id DESC)
    WHERE account_id IS NOT NULL;
CREATE INDEX reward_updated_at_idx ON reward (chain_id, updated_at DESC, id DESC);

-- Rewards whose points are not known to agree with them: a take that waits for its debit, a void
-- or an undone take that waits for its points to go back. Whoever holds the lease is the only one
-- to ask the points service. The row goes when both sides agree. leased_until is real time.
CREATE TABLE settlement (
    chain_id      uuid        NOT NULL,
    reward_id     uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('take', 'void', 'undo')),
    request_key   text        NOT NULL,
    salon_id      uuid,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    attempts      integer     NOT NULL,
    leased_until  timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reward_id)
);
CREATE INDEX settlement_leased_until_idx ON settlement (leased_until);

-- What happened to rewards, who did it and where; append-only.
CREATE TABLE reward_event (
    chain_id      uuid        NOT NULL,
    id            uuid        NOT NULL,
    reward_id     uuid        NOT NULL,
    member_id     uuid        NOT NULL,
    account_id    uuid,
    program_id    uuid,
    definition_id uuid,
    kind          text        NOT NULL CHECK (kind IN
                  ('taken', 'used', 'restored', 'voided', 'expired')),
    points        bigint      NOT NULL,
    salon_id      uuid,
    actor_kind    text        NOT NULL,
    actor_id      text        NOT NULL,
    reward_name   text        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX reward_event_occurred_at_idx ON reward_event (chain_id, occurred_at DESC, id DESC);
CREATE INDEX reward_event_member_id_idx
    ON reward_event (chain_id, member_id, occurred_at DESC, id DESC);
CREATE INDEX reward_event_account_id_idx
    ON reward_event (chain_id, account_id, occurred_at DESC, id DESC) WHERE account_id IS NOT NULL;
CREATE INDEX reward_event_reward_id_idx
    ON reward_event (chain_id, reward_id, occurred_at DESC, id DESC);

-- Offers as their owner last told us; the newest version wins.
CREATE TABLE offer_copy (
    chain_id      uuid        NOT NULL,
    offer_id      uuid        NOT NULL,
    version       bigint      NOT NULL,
    title         text        NOT NULL,
    description   text        NOT NULL,
    exclusion     text        NOT NULL,
    start_date    date        NOT NULL,
    end_date      date        NOT NULL,
    coupon_expiry_date date,
    shown_in_app  boolean     NOT NULL,
    deleted       boolean     NOT NULL,
    home_time_zone text       NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, offer_id)
);

-- What rewards needs to know of a chain; the newest version wins.
CREATE TABLE chain_copy (
    chain_id      uuid        PRIMARY KEY,
    version       bigint      NOT NULL,
    home_time_zone text       NOT NULL,
    currency      text        NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);

-- History stays as it was written, whatever the service does. The service's role exists wherever
-- the service runs; a bare schema in a tool's hands need not have it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rewards') THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON reward_event, reward_definition_version FROM rewards;
    END IF;
END
$$;
