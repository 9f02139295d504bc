-- Tables of the chassis. Each service has its own copy in its own database.

-- Events of this service, written with their effect. The relay publishes them in id order.
CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      uuid        NOT NULL UNIQUE,
    chain_id      uuid        NOT NULL,
    topic         text        NOT NULL,
    key           text        NOT NULL,
    type          text        NOT NULL,
    subject       text        NOT NULL,
    -- NULL is a tombstone: it takes the key off a compacted topic.
    payload       bytea,
    request_id    text        NOT NULL DEFAULT '',
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    partition     integer,
    partition_offset bigint
);
CREATE INDEX outbox_unpublished_idx ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published_at_idx ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX outbox_chain_id_topic_key_idx ON outbox (chain_id, topic, key);

-- For each partition that this service publishes to: the offset after its last event.
CREATE TABLE published_position (
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    next_offset   bigint      NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

-- Events of others whose effect is applied.
CREATE TABLE inbox (
    chain_id      uuid        NOT NULL,
    consumer      text        NOT NULL,
    event_id      uuid        NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, consumer, event_id)
);
CREATE INDEX inbox_recorded_at_idx ON inbox USING brin (recorded_at);

-- Where each consumer group stands, as far as its effects are applied.
CREATE TABLE consumer_position (
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    next_offset   bigint      NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
);

-- Events that can never be applied, with the reason. chain_id is unknown where nothing was legible.
CREATE TABLE dead_letter (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id      uuid,
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    partition_offset bigint   NOT NULL,
    key           text        NOT NULL,
    event_id      uuid        NOT NULL,
    type          text        NOT NULL,
    reason        text        NOT NULL,
    headers       jsonb       NOT NULL,
    payload       bytea,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, event_id)
);

-- Requests that have taken effect, with the answer that a resend gets. The answer is written by a
-- second statement of the same transaction: room on the page keeps that update cheap.
CREATE TABLE idempotency (
    chain_id      uuid        NOT NULL,
    operation     text        NOT NULL,
    key           text        NOT NULL,
    fingerprint   bytea       NOT NULL,
    answer        bytea,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, operation, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_recorded_at_idx ON idempotency USING brin (recorded_at);

-- Timed work. due_at is business time where `business`, else real time; not_before is real time and
-- holds a job back after a failed attempt.
CREATE TABLE job (
    id            uuid        NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    chain_id      uuid        NOT NULL,
    kind          text        NOT NULL,
    key           text        NOT NULL,
    due_at        timestamptz NOT NULL,
    business      boolean     NOT NULL,
    payload       jsonb       NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting'
                  CHECK (state IN ('waiting', 'done', 'failed', 'cancelled')),
    attempts      integer     NOT NULL DEFAULT 0,
    not_before    timestamptz,
    last_error    text        NOT NULL DEFAULT '',
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (chain_id, kind, key)
);
CREATE INDEX job_due_at_idx ON job (due_at, id) WHERE state = 'waiting';
CREATE INDEX job_chain_id_due_at_idx ON job (chain_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX job_finished_at_idx ON job (finished_at) WHERE finished_at IS NOT NULL;

-- Business time minus real time; only sandbox chains have a row.
CREATE TABLE business_clock (
    chain_id      uuid        PRIMARY KEY,
    offset_microseconds bigint NOT NULL CHECK (offset_microseconds >= 0),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
