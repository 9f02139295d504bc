-- On which sale a reward is: on one at most. Gone when it comes off again, or back to its member.

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE sale_reward (
    chain_id        uuid        NOT NULL,
    reward_id       uuid        NOT NULL,
    sale_id         uuid        NOT NULL,
    PRIMARY KEY (chain_id, reward_id)
);
