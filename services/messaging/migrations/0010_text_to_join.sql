-- Dedicated numbers: one chain a number (LS-19, D26). It stays when a chain leaves Pro, so that
-- STOP still works on it; what it may do is asked of the plan.
CREATE TABLE chain_number (
    chain_id        uuid        PRIMARY KEY,
    -- E.164.
    number          text        NOT NULL CHECK (number <> ''),
    keyword         text        NOT NULL CHECK (keyword <> ''),
    -- The numbers of sandboxes are for stories: nobody can text them.
    sandbox         boolean     NOT NULL,
    provisioned_at  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX chain_number_number_idx ON chain_number (number) WHERE NOT sandbox;
