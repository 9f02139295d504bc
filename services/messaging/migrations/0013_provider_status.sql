CREATE INDEX delivery_provider_message_id_idx ON delivery (provider_message_id)
    WHERE provider_message_id <> '';

-- What a provider said of a message before its own answer was written down here. A status names
-- no chain: these stand under the platform.
CREATE TABLE provider_status (
    chain_id             uuid        NOT NULL,
    provider_message_id  text        NOT NULL,
    state                text        NOT NULL CHECK (state IN ('DELIVERED', 'FAILED')),
    reason               text        NOT NULL,
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, provider_message_id)
);
CREATE INDEX provider_status_recorded_at_idx ON provider_status (recorded_at);
