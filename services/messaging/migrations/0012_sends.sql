-- Messages to many (LS-59 to LS-63).
CREATE TABLE message_send (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    offer_id        uuid,
    -- Empty: the chain's words for an offer.
    sms_body        text        NOT NULL,
    email_subject   text        NOT NULL,
    email_body      text        NOT NULL,
    -- Whom it is for, as chosen; looked at when it goes out.
    audience        jsonb       NOT NULL,
    state           text        NOT NULL CHECK (state IN ('SCHEDULED', 'SENDING', 'STOPPED')),
    -- Business time of the chain.
    send_at         timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    -- How many were chosen, counted when it went out.
    chosen          bigint      NOT NULL DEFAULT 0,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX message_send_chain_id_sequence_idx ON message_send (chain_id, sequence DESC);
CREATE INDEX message_send_due_idx ON message_send (chain_id, send_at) WHERE state = 'SCHEDULED';

ALTER TABLE delivery ADD COLUMN send_id uuid;
CREATE INDEX delivery_chain_id_send_id_state_idx ON delivery (chain_id, send_id, state, member_id)
    WHERE send_id IS NOT NULL;

-- Coupons of offers, as rewards last told of them: the newest version wins.
CREATE TABLE offer_coupon (
    chain_id        uuid        NOT NULL,
    reward_id       uuid        NOT NULL,
    offer_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    used            boolean     NOT NULL,
    voided          boolean     NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reward_id)
);
CREATE INDEX offer_coupon_chain_id_offer_id_idx ON offer_coupon (chain_id, offer_id, member_id);

-- What was not sent to many goes first: a one-time code does not wait behind a hundred thousand
-- offers.
CREATE INDEX delivery_due_alone_idx ON delivery (next_attempt_at, sequence)
    WHERE state IN ('QUEUED', 'SENDING') AND send_id IS NULL;
