-- What stands below messages that advertise, and when an offer's coupon was taken and used.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE chain_copy ADD COLUMN postal_address text NOT NULL DEFAULT '';
ALTER TABLE chain_copy ADD COLUMN contact_phone text NOT NULL DEFAULT '';
-- Business time; NULL for coupons of before this was kept: no report counts them.
ALTER TABLE offer_coupon ADD COLUMN taken_at timestamptz;
ALTER TABLE offer_coupon ADD COLUMN used_at timestamptz;
-- Words on posters outlive their change: a keyword of before still answers (LS-20).
ALTER TABLE chain_number ADD COLUMN former_keywords text[] NOT NULL DEFAULT '{}';
