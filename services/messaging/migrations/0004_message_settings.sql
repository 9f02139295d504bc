-- What a chain chose for its messages; a chain without a row has the given settings.
CREATE TABLE message_settings (
    chain_id             uuid        PRIMARY KEY,
    receipts             text        NOT NULL CHECK (receipts IN ('ALWAYS', 'FIRST_ONLY', 'NEVER')),
    expiry_warnings      boolean     NOT NULL,
    tier_changes         boolean     NOT NULL,
    -- 0: e-mail addresses are not collected (SQ-09).
    collect_email_points integer     NOT NULL CHECK (collect_email_points >= 0),
    -- Both NULL: no quiet hours.
    quiet_from           time,
    quiet_until          time,
    -- 0: no limit of the chain's own.
    daily_sms_cap        integer     NOT NULL CHECK (daily_sms_cap >= 0),
    version              bigint      NOT NULL,
    updated_at           timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);

-- Words of a chain's own; where there is no row the given ones are said.
CREATE TABLE message_template (
    chain_id        uuid        NOT NULL,
    kind            text        NOT NULL,
    channel         text        NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
    language        text        NOT NULL CHECK (language IN ('FR', 'EN')),
    subject         text        NOT NULL,
    body            text        NOT NULL,
    updated_at      timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, kind, channel, language)
);

-- SMS of a day by the chain's calendar, segments counted.
CREATE TABLE sms_day (
    chain_id        uuid        NOT NULL,
    day             date        NOT NULL,
    segments        integer     NOT NULL,
    PRIMARY KEY (chain_id, day)
);

-- News of a member whose contact has not arrived yet; told when it has.
CREATE TABLE early_news (
    chain_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    kind            text        NOT NULL,
    key             text        NOT NULL,
    params          jsonb       NOT NULL,
    occurred_at     timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, member_id, kind, key)
);

-- Members who were asked for their e-mail address, and what was promised for it (SQ-09).
CREATE TABLE email_asked (
    chain_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    points          integer     NOT NULL CHECK (points > 0),
    asked_at        timestamptz NOT NULL,
    given_at        timestamptz,
    PRIMARY KEY (chain_id, member_id)
);

-- Business time before which a delivery does not leave: quiet hours, the day's cap. NULL: none.
ALTER TABLE delivery ADD COLUMN waits_until timestamptz;
CREATE INDEX delivery_chain_id_waits_until_idx ON delivery (chain_id, waits_until)
    WHERE state = 'QUEUED' AND waits_until IS NOT NULL;
