-- What those read of a birthday message who chose English; empty: what all read.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE scheduled_message
    ADD COLUMN english_sms_body      text NOT NULL DEFAULT '',
    ADD COLUMN english_email_subject text NOT NULL DEFAULT '',
    ADD COLUMN english_email_body    text NOT NULL DEFAULT '';
