-- Where a chain gets its mail and how it is called: both stand in what it sends.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE chain ADD COLUMN postal_address text NOT NULL DEFAULT '';
ALTER TABLE chain ADD COLUMN contact_phone text NOT NULL DEFAULT '';
