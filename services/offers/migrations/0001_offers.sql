-- Chains as enrollment last told of them; the newest version wins.
CREATE TABLE chain_copy (
    chain_id        uuid        PRIMARY KEY,
    home_time_zone  text        NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now()
);

-- Days are the chain's own, both inclusive; the home zone of chain_copy says when they begin.
CREATE TABLE offer (
    chain_id           uuid        NOT NULL,
    id                 uuid        NOT NULL,
    type               text        NOT NULL CHECK (type IN ('INSTANT')),
    title              text        NOT NULL CHECK (title <> '' AND length(title) <= 120),
    description        text        NOT NULL CHECK (length(description) <= 2000),
    exclusion          text        NOT NULL CHECK (length(exclusion) <= 2000),
    start_date         date        NOT NULL,
    end_date           date        NOT NULL CHECK (end_date >= start_date),
    -- NULL: the coupon never expires.
    coupon_expiry_date date        CHECK (coupon_expiry_date >= start_date),
    shown_in_app       boolean     NOT NULL,
    version            bigint      NOT NULL CHECK (version > 0),
    -- Who changed it last, by kind and id; never a name.
    changed_by_kind    text        NOT NULL,
    changed_by_id      text        NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX offer_chain_id_start_date_idx
    ON offer (chain_id, start_date DESC, created_at DESC) WHERE deleted_at IS NULL;
