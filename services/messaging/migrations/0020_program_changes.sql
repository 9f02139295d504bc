-- What of programs was changed, who has read of it, and whether the members were told (SQ-51).
CREATE TABLE program_change (
    chain_id        uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    event_id        uuid        NOT NULL,
    sections        text[]      NOT NULL,
    -- Who changed it knows.
    changed_by      text        NOT NULL,
    changed_at      timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, program_id, sequence)
);
CREATE UNIQUE INDEX program_change_chain_id_event_id_idx ON program_change (chain_id, event_id);

CREATE TABLE program_change_read (
    chain_id        uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    -- A staff member, a tablet, a key; empty: the members.
    reader_id       text        NOT NULL,
    up_to           bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, program_id, reader_id)
);
