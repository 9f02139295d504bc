-- Of the offer's picture; empty = the chain's logo.
ALTER TABLE offer ADD COLUMN image_digest text NOT NULL DEFAULT '';

-- Apart from the offers, so that lists do not read pixels. At most one of each offer; it stays when
-- the offer is deleted, since coupons live on.
CREATE TABLE offer_picture (
    chain_id    uuid        NOT NULL,
    offer_id    uuid        NOT NULL,
    digest      text        NOT NULL,
    media_type  text        NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp')),
    content     bytea       NOT NULL CHECK (length(content) BETWEEN 1 AND 1048576),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, offer_id),
    FOREIGN KEY (chain_id, offer_id) REFERENCES offer (chain_id, id)
);
