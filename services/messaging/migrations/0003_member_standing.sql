-- What a message or an audience asks about a member, as points last told of it. No name, no address.

-- Balance and tier of each account: the highest sequence wins, and the latest change of tier.
CREATE TABLE member_account (
    chain_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    balance         bigint      NOT NULL DEFAULT 0,
    sequence        bigint      NOT NULL DEFAULT 0,
    -- NULL: no ladder has moved this account yet.
    tier_id         uuid,
    tier_name       text        NOT NULL DEFAULT '',
    tier_changed_at timestamptz,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, account_id)
);
CREATE INDEX member_account_chain_id_member_id_idx ON member_account (chain_id, member_id);
CREATE INDEX member_account_chain_id_tier_id_idx ON member_account (chain_id, tier_id)
    WHERE tier_id IS NOT NULL;

-- One row a member: her last visit anywhere, and the posting that was her first points.
CREATE TABLE member_standing (
    chain_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    last_visit_at   timestamptz,
    first_earn      text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, member_id)
);
CREATE INDEX member_standing_chain_id_last_visit_at_idx
    ON member_standing (chain_id, last_visit_at);

-- Her last visit to each salon.
CREATE TABLE member_salon (
    chain_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    salon_id        uuid        NOT NULL,
    last_visit_at   timestamptz NOT NULL,
    PRIMARY KEY (chain_id, member_id, salon_id)
);
CREATE INDEX member_salon_chain_id_salon_id_idx ON member_salon (chain_id, salon_id, member_id);

-- Programs as points last told of them; the newest version wins.
CREATE TABLE program_copy (
    chain_id        uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    name            text        NOT NULL,
    term_one        text        NOT NULL,
    term_other      text        NOT NULL,
    active          boolean     NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, program_id)
);
