-- Every earn moves a balance and a last visit: room on the page, and no index on what moves, let
-- it change its row in place. Audiences look at all contacts of their chain anyway.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

DROP INDEX member_standing_chain_id_last_visit_at_idx;
ALTER TABLE member_account SET (fillfactor = 80);
ALTER TABLE member_standing SET (fillfactor = 80);
ALTER TABLE member_salon SET (fillfactor = 80);
