-- Programs with their codes, copies of chains and salons, grants, and what guards the codes.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE program (
    chain_id           uuid        NOT NULL,
    id                 uuid        NOT NULL,
    name               text        NOT NULL,
    term_one           text        NOT NULL,
    term_other         text        NOT NULL,
    active             boolean     NOT NULL,
    accrual_type       text        NOT NULL CHECK (accrual_type IN ('VISIT', 'SPEND')),
    visit_points       integer     NOT NULL CHECK (visit_points BETWEEN 1 AND 1000),
    -- Empty: every salon.
    salon_ids          uuid[]      NOT NULL,
    cool_down_seconds  integer     NOT NULL CHECK (cool_down_seconds >= 0),
    -- Sealed with a key that is not in this database.
    points_code        bytea       NOT NULL,
    points_code_digits smallint    NOT NULL,
    multi_point_code   bytea       NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    version            bigint      NOT NULL,
    PRIMARY KEY (chain_id, id)
);

-- Copies of what enrollment says of chains and salons; the newest version wins.
CREATE TABLE chain (
    chain_id        uuid        PRIMARY KEY,
    sandbox         boolean     NOT NULL,
    home_time_zone  text        NOT NULL,
    version         bigint      NOT NULL
);
CREATE TABLE salon (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    time_zone       text        NOT NULL,
    active          boolean     NOT NULL,
    version         bigint      NOT NULL,
    PRIMARY KEY (chain_id, id)
);

-- A right multi-point code opens one of these: used once, within two minutes of real time.
CREATE TABLE multi_point_grant (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    session_id      text        NOT NULL,
    points          integer     NOT NULL CHECK (points BETWEEN 2 AND 100),
    granted_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    posting_id      uuid,
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX multi_point_grant_chain_id_member_id_idx
    ON multi_point_grant (chain_id, member_id, program_id, expires_at);

-- Every time that the multi-point code opened more than one point: when, for whom, by which way.
CREATE TABLE multi_point_audit (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    session_id      text        NOT NULL,
    way             text        NOT NULL CHECK (way IN ('grant', 'typed_code')),
    points          integer     NOT NULL,
    -- The grant, or the posting of a typed code.
    subject_id      uuid        NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
REVOKE UPDATE, DELETE, TRUNCATE ON multi_point_audit FROM points;

-- Wrong codes in a row, for each account and kind of code. A right one ends the row.
CREATE TABLE code_failure (
    chain_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('points', 'multi_point')),
    program_id      uuid        NOT NULL,
    consecutive     integer     NOT NULL CHECK (consecutive > 0),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, account_id, kind)
);
CREATE INDEX code_failure_chain_id_program_id_idx ON code_failure (chain_id, program_id, kind);

-- Wrong codes of a whole chain by hour of real time: an alert and a hint to the owner, no lock.
CREATE TABLE code_failure_hour (
    chain_id        uuid        NOT NULL,
    hour            timestamptz NOT NULL,
    failures        integer     NOT NULL,
    PRIMARY KEY (chain_id, hour)
);
