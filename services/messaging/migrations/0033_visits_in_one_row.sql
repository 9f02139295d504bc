-- A member's visits are one row: every earn wrote two, one of them only to say that she had been
-- in a salon where she had been before.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE member_standing
    -- Where she has been.
    ADD COLUMN salon_ids uuid[] NOT NULL DEFAULT '{}',
    -- Nothing is noted any more of a member who was erased, however late it is told.
    ADD COLUMN erased_at timestamptz;

INSERT INTO member_standing AS kept (chain_id, member_id, last_visit_at, salon_ids)
SELECT chain_id, member_id, max(last_visit_at), array_agg(salon_id)
FROM member_salon GROUP BY chain_id, member_id
ON CONFLICT (chain_id, member_id) DO UPDATE SET salon_ids = excluded.salon_ids;

INSERT INTO member_standing AS kept (chain_id, member_id, erased_at)
SELECT chain_id, member_id, erased_at FROM contact WHERE erased_at IS NOT NULL
ON CONFLICT (chain_id, member_id) DO UPDATE
    SET last_visit_at = NULL, salon_ids = '{}', erased_at = excluded.erased_at;

-- `member_salon` stays for processes of the release before: the next release takes over what they
-- still wrote, and drops it.
