-- Points that end in two weeks are told of once (D9).

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- An account's points of one last day: told of, or missed because nobody looked in time (W5).
CREATE TABLE expiry_notice (
    chain_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    last_day        date        NOT NULL,
    missed          boolean     NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, account_id, last_day)
);
CREATE INDEX expiry_notice_missed_idx ON expiry_notice (recorded_at) WHERE missed;

-- The last day of a chain's calendar on which somebody looked.
CREATE TABLE expiry_watch (
    chain_id        uuid        PRIMARY KEY,
    day             date        NOT NULL
);
