-- Promotions that are over are not looked at again for every sale.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- From this instant on it is over in every time zone; NULL: it has no end.
ALTER TABLE promotion ADD COLUMN over_at timestamptz;
