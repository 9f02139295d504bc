-- Who gave a chain its number, took it back or changed its keyword, and when.
CREATE TABLE chain_number_act (
    chain_id        uuid        NOT NULL,
    sequence        bigint      GENERATED ALWAYS AS IDENTITY,
    act             text        NOT NULL CHECK (act IN ('GIVEN', 'RELEASED', 'KEYWORD')),
    number          text        NOT NULL,
    keyword         text        NOT NULL,
    -- In which role, and the id of whoever did it; never a name.
    actor_kind      text        NOT NULL,
    actor_id        text        NOT NULL,
    -- Business time of the chain.
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, sequence)
);
REVOKE UPDATE, DELETE ON chain_number_act FROM messaging;
