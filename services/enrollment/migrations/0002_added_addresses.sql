-- A code may prove an address that its member does not have yet and wishes to add.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE code_challenge ADD COLUMN adds_address boolean NOT NULL DEFAULT false;
