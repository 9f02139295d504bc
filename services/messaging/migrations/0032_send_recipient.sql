-- Whom a send was let go to and is not queued for yet: a send to very many is queued bit by bit.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE send_recipient (
    chain_id    uuid        NOT NULL,
    send_id     uuid        NOT NULL,
    member_id   uuid        NOT NULL,
    channel     text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, send_id, member_id)
);

ALTER TABLE message_send
    -- How many of them there are; of a stopped send, how many were left.
    ADD COLUMN waiting    bigint NOT NULL DEFAULT 0,
    -- When it was let go, by the chain's clock, and until when in real time it is news.
    ADD COLUMN let_go_at  timestamptz,
    ADD COLUMN expires_at timestamptz;
CREATE INDEX message_send_waiting_idx ON message_send (let_go_at, sequence)
    WHERE waiting > 0 AND state = 'SENDING';
