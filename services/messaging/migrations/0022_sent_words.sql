-- What a text said when it was handed over, sealed, while nobody knows whether it left: a lookup at
-- the provider asks for these words, whatever the chain's words are by then.
ALTER TABLE delivery
    ADD COLUMN sealed_words bytea CHECK (sealed_words IS NULL OR state = 'SENDING');
