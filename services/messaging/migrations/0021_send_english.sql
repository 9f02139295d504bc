-- What those read of a message to many who chose English; empty: what all read.
ALTER TABLE message_send
    ADD COLUMN english_sms_body      text NOT NULL DEFAULT '',
    ADD COLUMN english_email_subject text NOT NULL DEFAULT '',
    ADD COLUMN english_email_body    text NOT NULL DEFAULT '';
