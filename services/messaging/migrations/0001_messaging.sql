-- Chains as enrollment last told of them; the newest version wins.
CREATE TABLE chain_copy (
    chain_id        uuid        PRIMARY KEY,
    slug            text        NOT NULL,
    name            text        NOT NULL,
    plan            text        NOT NULL,
    sandbox         boolean     NOT NULL,
    home_time_zone  text        NOT NULL,
    language        text        NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now()
);

-- Contacts as enrollment last told of them. An erased contact keeps its ids and its version, so
-- that an old event cannot bring it back.
CREATE TABLE contact (
    chain_id        uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    phone           text        NOT NULL,
    email           text        NOT NULL,
    given_name      text        NOT NULL,
    language        text,
    registered_by   text,
    birthday        text        NOT NULL,
    phone_verified  boolean     NOT NULL,
    email_verified  boolean     NOT NULL,
    version         bigint      NOT NULL,
    erased_at       timestamptz,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, member_id)
);
-- A text to the shared number names no chain: it is found by phone alone.
CREATE INDEX contact_phone_idx ON contact (phone, chain_id) WHERE phone <> '';

-- Every act about the consent of an address, in order; never changed.
CREATE TABLE consent_record (
    chain_id        uuid        NOT NULL,
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    channel         text        NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
    address         text        NOT NULL CHECK (address <> ''),
    member_id       uuid,
    granted         boolean     NOT NULL,
    source          text        NOT NULL,
    -- Version of the words beside the box, or the text message itself.
    evidence        jsonb       NOT NULL,
    -- Our number that was texted, for STOP and YES.
    number          text        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX consent_record_chain_id_address_idx ON consent_record (chain_id, address, channel, id);
REVOKE UPDATE, DELETE ON consent_record FROM messaging;

-- The last act about each address. The chain of all zeros is the platform: a STOP to its shared
-- number from a phone that no chain ever wrote to.
CREATE TABLE consent (
    chain_id        uuid        NOT NULL,
    channel         text        NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
    address         text        NOT NULL CHECK (address <> ''),
    granted         boolean     NOT NULL,
    source          text        NOT NULL,
    number          text        NOT NULL,
    changed_at      timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, channel, address)
);
CREATE INDEX consent_address_idx ON consent (address, channel, chain_id);

-- Which chains wrote to which phone from which of our numbers (D26).
CREATE TABLE correspondence (
    chain_id        uuid        NOT NULL,
    number          text        NOT NULL,
    phone           text        NOT NULL,
    first_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, number, phone)
);
CREATE INDEX correspondence_phone_number_idx ON correspondence (phone, number, chain_id);

-- Texts that arrived, by the provider's id: a replay has no second effect.
CREATE TABLE inbound_sms (
    chain_id             uuid        NOT NULL,
    provider_message_id  text        NOT NULL,
    keyword              text        NOT NULL,
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, provider_message_id)
);

-- One message to one person. Words are made at the moment of sending and not kept here.
CREATE TABLE delivery (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    kind            text        NOT NULL,
    -- The cause: one cause has one delivery, however often it is told.
    key             text        NOT NULL,
    member_id       uuid,
    channel         text        NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
    address         text        NOT NULL,
    -- NULL: both languages.
    language        text,
    params          jsonb       NOT NULL,
    -- A one-time code, sealed; gone when the delivery has ended.
    sealed_code     bytea,
    state           text        NOT NULL DEFAULT 'QUEUED' CHECK (state IN
                    ('QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'FAILED', 'BLOCKED', 'EXPIRED',
                     'UNKNOWN')),
    reason          text        NOT NULL DEFAULT '',
    attempts        integer     NOT NULL DEFAULT 0,
    lookups         integer     NOT NULL DEFAULT 0,
    sender          text        NOT NULL DEFAULT '',
    provider        text        NOT NULL DEFAULT '',
    provider_message_id text    NOT NULL DEFAULT '',
    -- Real time: the next attempt of a queued one, the lookup of one in sending.
    next_attempt_at timestamptz NOT NULL,
    first_attempt_at timestamptz,
    expires_at      timestamptz,
    -- Business time of the chain.
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id),
    UNIQUE (chain_id, kind, key),
    CHECK (sealed_code IS NULL OR state IN ('QUEUED', 'SENDING'))
);
CREATE INDEX delivery_due_idx ON delivery (next_attempt_at, sequence)
    WHERE state IN ('QUEUED', 'SENDING');
CREATE INDEX delivery_chain_id_sequence_idx ON delivery (chain_id, sequence DESC);
CREATE INDEX delivery_chain_id_member_id_idx ON delivery (chain_id, member_id, sequence DESC);
CREATE INDEX delivery_chain_id_provider_message_id_idx
    ON delivery (chain_id, provider_message_id) WHERE provider_message_id <> '';

-- Each time that a delivery was handed to a provider.
CREATE TABLE delivery_attempt (
    chain_id        uuid        NOT NULL,
    delivery_id     uuid        NOT NULL,
    number          integer     NOT NULL,
    provider        text        NOT NULL,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    -- accepted, rejected, try_later, unclear; NULL while nobody knows.
    outcome         text,
    reason          text        NOT NULL DEFAULT '',
    PRIMARY KEY (chain_id, delivery_id, number)
);

-- What would have left a sandbox chain (api.md 3). The only place where words rest.
CREATE TABLE sandbox_message (
    chain_id        uuid        NOT NULL,
    -- The delivery's id: it lands here once.
    id              uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    channel         text        NOT NULL,
    recipient       text        NOT NULL,
    subject         text        NOT NULL,
    body            text        NOT NULL,
    kind            text        NOT NULL,
    -- Business time of the chain.
    created_at      timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX sandbox_message_chain_id_sequence_idx ON sandbox_message (chain_id, sequence DESC);
CREATE INDEX sandbox_message_chain_id_recipient_idx
    ON sandbox_message (chain_id, recipient, sequence DESC);
