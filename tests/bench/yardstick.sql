-- The yardstick: the rows of our own tables, written by functions that know nothing of rules.
-- It runs in a scratch schema whose tables were made by our own migrations.

-- One earn: idempotency, account, posting, lot, outbox; one transaction.
CREATE FUNCTION earn(place integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_id   uuid := uuidv7();
    mine     uuid := md5('account-' || place)::uuid;
    used     text := gen_random_uuid()::text;
    moment   timestamptz := now();
    standing record;
BEGIN
    INSERT INTO idempotency (chain_id, operation, key, fingerprint, answer)
    VALUES (:chain, 'earn', used, sha256(used::bytea), uuid_send(new_id) || '\x00')
    ON CONFLICT DO NOTHING;
    UPDATE account
    SET balance = balance + 1, lifetime_points = lifetime_points + 1, sequence = sequence + 1,
        updated_at = moment
    WHERE chain_id = :chain AND id = mine
    RETURNING sequence, balance INTO STRICT standing;
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        earn_source, salon_id, actor_kind, actor_id, occurred_at, recorded_at)
    VALUES (
        :chain, new_id, mine, :program, mine, 1, 'earn', standing.sequence, standing.balance,
        'TILL', :salon, 'API_KEY', :salon, moment, moment);
    INSERT INTO lot (chain_id, id, account_id, posting_id, points, remaining, policy, salon_id,
                     earned_at)
    VALUES (:chain, uuidv7(), mine, new_id, 1, 1, 'never', :salon, moment);
    WITH told AS (
        INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at,
                            published_at)
        VALUES (new_id, :chain, 'bench', mine, 'points.earned', mine,
                decode(repeat('ab', 300), 'hex'), moment, now())
        RETURNING id)
    INSERT INTO outbox_waiting (id) SELECT id FROM told;
    RETURN standing.balance;
END $$;

-- A take and a use in the four transactions of ours: the wish, the payment, the reward, its use.
CREATE FUNCTION wish(place integer) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    new_id uuid := uuidv7();
    mine   uuid := md5('account-' || place)::uuid;
BEGIN
    INSERT INTO idempotency (chain_id, operation, key, fingerprint, answer)
    VALUES (:chain, 'take', new_id::text, sha256(uuid_send(new_id)),
            decode(repeat('ab', 200), 'hex'));
    INSERT INTO reward (chain_id, id, member_id, account_id, program_id, definition_id, name,
                        description, exclusion, points, discount_kind, state, created_at,
                        updated_at)
    VALUES (:chain, new_id, mine, mine, :program, :program, 'Soin', '', '', 1, 'in_kind',
            'pending', now(), now());
    INSERT INTO settlement (chain_id, reward_id, kind, request_key, actor_kind, actor_id, attempts,
                            leased_until)
    VALUES (:chain, new_id, 'take', new_id, 'API_KEY', :salon, 1, now() + interval '30 s');
    RETURN new_id;
END $$;

CREATE FUNCTION pay(place integer, reward_id uuid) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    new_id   uuid := uuidv7();
    mine     uuid := md5('account-' || place)::uuid;
    standing record;
    drained  uuid;
BEGIN
    UPDATE account SET balance = balance - 1, sequence = sequence + 1, updated_at = now()
    WHERE chain_id = :chain AND id = mine AND balance >= 1
    RETURNING sequence, balance INTO STRICT standing;
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        actor_kind, actor_id, reward_id, business_key, occurred_at, recorded_at)
    VALUES (
        :chain, new_id, mine, mine, :program, 1, 'reward', standing.sequence, standing.balance,
        'API_KEY', :salon, pay.reward_id, 'reward:' || pay.reward_id, now(), now());
    UPDATE lot SET remaining = remaining - 1 WHERE chain_id = :chain AND id = mine
    RETURNING id INTO STRICT drained;
    INSERT INTO lot_use (chain_id, posting_id, lot_id, points) VALUES (:chain, new_id, drained, 1);
    WITH told AS (
        INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at,
                            published_at)
        VALUES (new_id, :chain, 'bench', mine, 'points.debited', mine,
                decode(repeat('ab', 300), 'hex'), now(), now())
        RETURNING id)
    INSERT INTO outbox_waiting (id) SELECT id FROM told;
    RETURN reward_id;
END $$;

CREATE FUNCTION happened(reward_id uuid, mine uuid, what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    new_id uuid := uuidv7();
BEGIN
    INSERT INTO reward_event (chain_id, id, reward_id, member_id, account_id, program_id,
                              definition_id, kind, points, actor_kind, actor_id, reward_name,
                              occurred_at)
    VALUES (:chain, new_id, reward_id, mine, mine, :program, :program, what, 1, 'API_KEY', :salon,
            'Soin', now());
    WITH told AS (
        INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at,
                            published_at)
        VALUES (new_id, :chain, 'bench', reward_id, 'reward.' || what, reward_id,
                decode(repeat('ab', 300), 'hex'), now(), now())
        RETURNING id)
    INSERT INTO outbox_waiting (id) SELECT id FROM told;
END $$;

CREATE FUNCTION issue(place integer, wanted uuid) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    UPDATE reward SET state = 'issued', version = version + 1, updated_at = now()
    WHERE chain_id = :chain AND id = wanted AND state = 'pending';
    DELETE FROM settlement WHERE chain_id = :chain AND reward_id = wanted;
    PERFORM happened(wanted, md5('account-' || place)::uuid, 'taken');
    UPDATE idempotency SET answer = decode(repeat('cd', 740), 'hex')
    WHERE chain_id = :chain AND operation = 'take' AND key = wanted::text;
    RETURN wanted;
END $$;

CREATE FUNCTION use(place integer, wanted uuid) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO idempotency (chain_id, operation, key, fingerprint, answer)
    VALUES (:chain, 'use', wanted::text, sha256(uuid_send(wanted)),
            decode(repeat('cd', 870), 'hex'));
    UPDATE reward SET state = 'redeemed', redeemed_at = now(), updated_at = now(),
        display_until = now() + interval '5 min', version = version + 1,
        redeemed_salon_id = :salon, used_by_session = wanted::text
    WHERE chain_id = :chain AND id = wanted AND state = 'issued';
    PERFORM happened(wanted, md5('account-' || place)::uuid, 'used');
    INSERT INTO job (chain_id, kind, key, due_at, business, payload)
    VALUES (:chain, 'end_display', wanted::text, now() + interval '5 min', true,
            jsonb_build_object('reward_id', wanted));
    RETURN wanted;
END $$;
