-- Sales with what they earned, program rules, promotions, tiers, the catalog, and when points end.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- NULL: enrollment has not said it yet.
ALTER TABLE chain ADD COLUMN currency text;

-- What a program earns by, as documents of domain rules; checked before they are written.
ALTER TABLE program
    ADD COLUMN accrual_rules jsonb NOT NULL DEFAULT '[]',
    -- 'never' or a period such as 'P3M': of points earned from now on.
    ADD COLUMN expiry_policy text NOT NULL DEFAULT 'never',
    -- Lowest first; empty: none.
    ADD COLUMN tiers jsonb NOT NULL DEFAULT '[]',
    -- Since when progress counts.
    ADD COLUMN tiers_launched_at timestamptz,
    ADD COLUMN visit_refund_basis text NOT NULL DEFAULT 'REMAINING'
        CHECK (visit_refund_basis IN ('REMAINING', 'REFUNDED')),
    ADD COLUMN debt_rule text NOT NULL DEFAULT 'ALLOW_NEGATIVE'
        CHECK (debt_rule IN ('ALLOW_NEGATIVE', 'CLAMP_ZERO')),
    ADD COLUMN reward_on_refund text NOT NULL DEFAULT 'RETURN'
        CHECK (reward_on_refund IN ('RETURN', 'KEEP'));
UPDATE program
SET accrual_rules = jsonb_build_array(
    CASE accrual_type
        WHEN 'VISIT' THEN jsonb_build_object(
            'type', 'VISIT', 'points', visit_points, 'minimum_minor', NULL,
            'tax_mode', 'BEFORE_TAX')
        -- A program that showed dollars without saying how many: a point for each.
        ELSE jsonb_build_object(
            'type', 'SPEND', 'points', 1, 'amount_minor', 100, 'tax_mode', 'BEFORE_TAX',
            'excluded_category_ids', '[]'::jsonb, 'excluded_item_ids', '[]'::jsonb)
    END);
ALTER TABLE program
    ALTER COLUMN accrual_rules DROP DEFAULT,
    ADD CHECK (jsonb_array_length(accrual_rules) BETWEEN 1 AND 50),
    ADD CHECK (jsonb_array_length(tiers) <= 6),
    ADD CHECK ((tiers = '[]') = (tiers_launched_at IS NULL)),
    DROP COLUMN accrual_type;

ALTER TABLE posting
    DROP CONSTRAINT posting_kind_check,
    ADD CONSTRAINT posting_kind_check CHECK (kind IN (
        'earn', 'promotion', 'adjustment', 'reward', 'reward_return', 'refund', 'expiry')),
    -- Of points: what the tier added to the base.
    ADD COLUMN tier_bonus bigint NOT NULL DEFAULT 0 CHECK (tier_bonus BETWEEN 0 AND points),
    ADD COLUMN promotion_id uuid,
    -- The refund or exchange, as the till calls it.
    ADD COLUMN change_id text;
CREATE INDEX posting_chain_id_sale_id_idx ON posting (chain_id, sale_id) WHERE sale_id IS NOT NULL;

-- No lot of the account ends before this; NULL: none ends. It may lie too early, never too late.
ALTER TABLE account ADD COLUMN expiry_due timestamptz;
-- What ends next, over all accounts.
CREATE INDEX lot_expires_at_open_idx ON lot (expires_at, chain_id, account_id)
    WHERE remaining > 0 AND expires_at IS NOT NULL;

-- What a till sells, as far as earning asks. Ids are text, for tills name things themselves.
CREATE TABLE catalog_object (
    chain_id        uuid        NOT NULL,
    id              text        NOT NULL CHECK (length(id) BETWEEN 1 AND 36),
    type            text        NOT NULL CHECK (type IN ('ITEM', 'ITEM_VARIATION', 'CATEGORY')),
    name            text        NOT NULL,
    -- Of a variation.
    item_id         text        CHECK ((type = 'ITEM_VARIATION') = (item_id IS NOT NULL)),
    -- Of an item; of a category, its parent.
    category_ids    text[]      NOT NULL,
    price_minor     bigint,
    price_currency  text        CHECK ((price_minor IS NULL) = (price_currency IS NULL)),
    deleted         boolean     NOT NULL,
    version         bigint      NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX catalog_object_chain_id_item_id_idx ON catalog_object (chain_id, item_id)
    WHERE item_id IS NOT NULL;

-- Open until it is counted; from then on what it was sold under never changes again.
CREATE TABLE sale (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    salon_id        uuid        NOT NULL,
    member_id       uuid,
    account_id      uuid,
    program_id      uuid,
    state           text        NOT NULL CHECK (state IN ('open', 'counted')),
    currency        text        NOT NULL,
    -- As priced: lines with their net and tax.
    lines           jsonb       NOT NULL,
    discounts       jsonb       NOT NULL,
    taxes           jsonb       NOT NULL,
    tip_minor       bigint      NOT NULL CHECK (tip_minor >= 0),
    total_minor     bigint      NOT NULL CHECK (total_minor >= 0),
    tax_minor       bigint      NOT NULL CHECK (tax_minor >= 0),
    discount_minor  bigint      NOT NULL CHECK (discount_minor >= 0),
    reference_id    text        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    counted_at      timestamptz,
    -- The settings of the moment, and what they gave.
    terms           jsonb,
    worth           jsonb,
    -- Points of its lots that had expired and that refunds have counted as removed.
    expired_counted bigint      NOT NULL DEFAULT 0 CHECK (expired_counted >= 0),
    version         bigint      NOT NULL,
    PRIMARY KEY (chain_id, id),
    CHECK ((state = 'counted') = (counted_at IS NOT NULL)),
    CHECK ((state = 'counted') = (terms IS NOT NULL)),
    CHECK ((state = 'counted') = (worth IS NOT NULL)),
    CHECK (account_id IS NULL OR member_id IS NOT NULL)
);
CREATE INDEX sale_chain_id_occurred_at_idx ON sale (chain_id, occurred_at, id);

-- Refunds and exchanges of a sale in their order; append-only.
CREATE TABLE sale_change (
    chain_id        uuid        NOT NULL,
    sale_id         uuid        NOT NULL,
    place           integer     NOT NULL CHECK (place > 0),
    change_id       text        NOT NULL CHECK (length(change_id) BETWEEN 1 AND 128),
    change          jsonb       NOT NULL,
    account_id      uuid,
    -- Signed: what the member's account gained or lost.
    points          bigint      NOT NULL,
    -- Signed: by how much the sale counts for more or less of a tier's progress, at its own moment.
    base_points     bigint      NOT NULL,
    counts_at       timestamptz NOT NULL,
    posting_id      uuid,
    expired_before  bigint      NOT NULL,
    forgiven        bigint      NOT NULL,
    returned_reward_ids uuid[]  NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (chain_id, sale_id, place),
    UNIQUE (chain_id, sale_id, change_id)
);
CREATE INDEX sale_change_chain_id_account_id_idx ON sale_change (chain_id, account_id, counts_at)
    WHERE base_points <> 0;

CREATE TABLE promotion (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    name            text        NOT NULL,
    -- What of it is frozen with a sale.
    terms           jsonb       NOT NULL,
    -- RFC 5545, in local time of the salon.
    periods         text[]      NOT NULL,
    trigger_times   integer,
    trigger_interval text       CHECK (trigger_interval IN ('ALL_TIME', 'DAY')),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    canceled_at     timestamptz,
    PRIMARY KEY (chain_id, id),
    CHECK ((trigger_times IS NULL) = (trigger_interval IS NULL))
);
CREATE INDEX promotion_chain_id_program_id_idx
    ON promotion (chain_id, program_id, created_at, id);

-- Which sale of an account earned by which promotion; gone when that sale is refunded in full.
CREATE TABLE promotion_trigger (
    chain_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    promotion_id    uuid        NOT NULL,
    sale_id         uuid        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    PRIMARY KEY (chain_id, account_id, promotion_id, sale_id)
);

-- Where members stand on the ladder of their program. No row: at its foot.
CREATE TABLE tier_standing (
    chain_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    tier_id         uuid        NOT NULL,
    threshold       bigint      NOT NULL,
    entered_at      timestamptz NOT NULL,
    founded_at      timestamptz NOT NULL,
    kept_until      timestamptz,
    -- What the member had when rising to it.
    before          jsonb,
    PRIMARY KEY (chain_id, account_id)
);
CREATE INDEX tier_standing_kept_until_idx ON tier_standing (kept_until, chain_id, account_id)
    WHERE kept_until IS NOT NULL;

REVOKE UPDATE, DELETE, TRUNCATE ON sale_change FROM points;
REVOKE DELETE, TRUNCATE ON sale, catalog_object, promotion FROM points;
