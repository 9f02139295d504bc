-- Offers as their service last told of them; the newest version wins, a deleted one stays known.
CREATE TABLE offer_copy (
    chain_id        uuid        NOT NULL,
    offer_id        uuid        NOT NULL,
    title           text        NOT NULL,
    description     text        NOT NULL,
    exclusion       text        NOT NULL,
    start_date      date        NOT NULL,
    end_date        date        NOT NULL,
    deleted         boolean     NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, offer_id)
);

-- Messages that go out by themselves: birthdays (LS-64 to LS-70).
CREATE TABLE scheduled_message (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    type            text        NOT NULL CHECK (type = 'BIRTHDAY'),
    days_before     integer     NOT NULL CHECK (days_before BETWEEN 0 AND 365),
    offer_id        uuid,
    -- Empty: nothing goes out on this channel.
    sms_body        text        NOT NULL,
    email_subject   text        NOT NULL,
    email_body      text        NOT NULL,
    enabled         boolean     NOT NULL,
    -- The first day, in the home zone, on which it is sent: nothing is caught up on.
    runs_from       date        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL DEFAULT 1,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);

CREATE INDEX contact_chain_id_birthday_idx ON contact (chain_id, right(birthday, 5))
    WHERE birthday <> '' AND erased_at IS NULL;
