"""What serves for a while only goes when its time is past; the journal stays."""

from __future__ import annotations

from uuid import uuid4

from services.chassis import retention
from services.messaging.storage.retention import RULES
from tests.messaging.conftest import MessagingHarness

# Each with its age in days.
_ROWS = {
    "early_news": (
        "(chain_id, member_id, kind, key, params, occurred_at, expires_at, recorded_at)",
        "($1, gen_random_uuid(), 'RECEIPT', 'k', '{}', now(), now(),"
        " now() - $2 * '1 day'::interval)",
    ),
    "sandbox_message": (
        "(chain_id, id, channel, recipient, subject, body, kind, created_at, recorded_at)",
        "($1, gen_random_uuid(), 'SMS', '+15145550123', '', 'bonjour', 'WELCOME', now(),"
        " now() - $2 * '1 day'::interval)",
    ),
    "inbound_sms": (
        "(chain_id, provider_message_id, keyword, recorded_at)",
        "($1, gen_random_uuid()::text, 'stop', now() - $2 * '1 day'::interval)",
    ),
    "send_recipient": (
        "(chain_id, send_id, member_id, channel, recorded_at)",
        "($1, gen_random_uuid(), gen_random_uuid(), 'SMS', now() - $2 * '1 day'::interval)",
    ),
    "provider_status": (
        "(chain_id, provider_message_id, state, reason, recorded_at)",
        "($1, gen_random_uuid()::text, 'FAILED', '', now() - $2 * '1 day'::interval)",
    ),
}


async def test_what_is_past_its_time_goes_and_the_rest_stays(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id)
    await messaging.drain()
    await messaging.pool.execute("UPDATE delivery SET recorded_at = now() - interval '9 years'")
    await messaging.pool.execute("UPDATE sandbox_message SET recorded_at = now()")
    kept = {rule.table: rule.days for rule in RULES}
    assert kept.keys() == _ROWS.keys()
    for table, (columns, values) in _ROWS.items():
        for age in (kept[table] - 0.5, kept[table] + 0.5, kept[table] * 3.0):
            await messaging.pool.execute(
                f"INSERT INTO {table} {columns} VALUES {values}",
                uuid4(),
                age,
            )

    assert await retention.purge(messaging.pool, RULES) == dict.fromkeys(_ROWS, 2)

    left = {
        table: await messaging.pool.fetchval(f"SELECT count(*) FROM {table}")
        for table in (*_ROWS, "delivery")
    }
    assert left == {**dict.fromkeys(_ROWS, 1), "sandbox_message": 2, "delivery": 1}
    assert await retention.purge(messaging.pool, RULES) == dict.fromkeys(_ROWS, 0)
