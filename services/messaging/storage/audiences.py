"""Audiences in SQL: who is in one, by which channel, and whether a message would reach her."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.messaging.domain.audience import (
    Audience,
    AudienceCount,
    AudienceMember,
    AudienceSize,
    Looking,
)
from services.messaging.domain.chain import PLATFORM, ChainId, Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.offer import OfferId

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

# The members of an audience with their channel (LS-60). The parameters are those of `chosen`. What
# nobody asks of a chain's accounts is not summed up: the join goes with its conditions.
CHOSEN = """
SELECT contact.member_id, contact.given_name, contact.language, way.channel,
       CASE way.channel WHEN 'SMS' THEN contact.phone WHEN 'EMAIL' THEN contact.email END
           AS address,
       CASE way.channel WHEN 'SMS' THEN contact.phone_verified
                        WHEN 'EMAIL' THEN contact.email_verified END AS verified
FROM contact
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN contact.registered_by = 'SMS' AND contact.phone <> '' THEN 'SMS'
        WHEN contact.registered_by = 'EMAIL' AND contact.email <> '' THEN 'EMAIL'
        WHEN contact.phone <> '' THEN 'SMS'
        WHEN contact.email <> '' THEN 'EMAIL'
    END AS channel
) AS way
LEFT JOIN member_standing USING (chain_id, member_id)
LEFT JOIN (
    SELECT member_id, sum(balance) AS balance,
           array_agg(tier_id) FILTER (WHERE tier_id IS NOT NULL) AS tier_ids
    FROM member_account WHERE chain_id = $1 GROUP BY member_id
) AS held ON held.member_id = contact.member_id
WHERE contact.chain_id = $1 AND contact.erased_at IS NULL
  AND ($2::uuid[] IS NULL OR contact.member_id = ANY($2))
  AND contact.member_id <> ALL($3::uuid[])
  AND ($4::timestamptz IS NULL OR member_standing.last_visit_at >= $4)
  AND ($5::timestamptz IS NULL OR member_standing.last_visit_at IS NULL
       OR member_standing.last_visit_at < $5)
  AND ($6::bigint IS NULL OR coalesce(held.balance, 0) >= $6)
  AND ($7::bigint IS NULL OR coalesce(held.balance, 0) <= $7)
  AND ($8::uuid[] IS NULL OR held.tier_ids && $8)
  AND ($9::text[] IS NULL OR left(right(contact.birthday, 5), 2) = ANY($9))
  AND ($10::uuid[] IS NULL OR member_standing.salon_ids && $10)
  AND ($11::text[] IS NULL OR coalesce(contact.language, $12::text) = ANY($11))
  AND ($13::text[] IS NULL OR way.channel = ANY($13))
"""


def _barred(members: str) -> str:
    """Members as `CHOSEN` gives them, each with what keeps a marketing message from her now.

    $14: the platform, where a STOP to the shared number counts for this chain; else NULL.
    """
    return f"""
    SELECT chosen.*,
           CASE
               WHEN chosen.channel IS NULL THEN 'no_address'
               WHEN consent.granted IS NOT TRUE OR number.granted IS FALSE THEN 'no_consent'
               WHEN NOT chosen.verified THEN 'unverified'
               ELSE ''
           END AS barrier
    FROM ({members}) AS chosen
    LEFT JOIN consent ON consent.chain_id = $1 AND consent.channel = chosen.channel
         AND consent.address = chosen.address
    LEFT JOIN consent AS number ON number.chain_id = $14 AND number.channel = chosen.channel
         AND number.address = chosen.address
    """  # noqa: S608


# As a list of names is read: without accents and capitals, those without a name last.
_IN_ORDER = """(given_name = ''), translate(lower(given_name),
    'àâäáçéèêëíîïñóôöúùûüÿœæ', 'aaaaceeeeiiinooouuuuyoa'), member_id"""


def chosen(
    chain_id: ChainId, audience: Audience, *, language: Language, now: datetime
) -> tuple[object, ...]:
    """The parameters of `CHOSEN`; ticks by hand count whatever the filter says."""
    asked = audience.filter
    if audience.only:
        none: tuple[object, ...] = (None,) * 8
        return (chain_id, list(audience.only), list(audience.excluded), *none, language.value, None)
    within, not_for = asked.visited_within_days, asked.not_visited_for_days
    return (
        chain_id,
        None,
        list(audience.excluded),
        now - timedelta(days=within) if within else None,
        now - timedelta(days=not_for) if not_for else None,
        asked.balance_min,
        asked.balance_max,
        list(asked.tier_ids) or None,
        [f"{month:02d}" for month in asked.birthday_months] or None,
        list(asked.salon_ids) or None,
        [one.value for one in asked.languages] or None,
        language.value,
        [one.value for one in asked.channels] or None,
    )


async def count(
    conn: Connection,
    who: tuple[object, ...],
    *,
    shared_number: bool,
    offer_id: OfferId | None = None,
) -> AudienceSize:
    """How many there are, and whom of them a marketing message may reach now.

    By the version of it that they would read, and how many of those had an offer already.
    """
    rows = await conn.fetch(
        f"""
        SELECT barrier, channel, coalesce(language, $12::text) AS read_in, count(*) AS members,
               count(had.member_id) AS already
        FROM ({_barred(CHOSEN)}) AS barred
        LEFT JOIN (
            SELECT delivery.member_id FROM message_send
            JOIN delivery ON delivery.chain_id = message_send.chain_id
                 AND delivery.send_id = message_send.id
            WHERE message_send.chain_id = $1 AND message_send.offer_id = $15
              AND delivery.state IN ('QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'UNKNOWN')
            UNION
            SELECT member_id FROM message_send
            JOIN send_recipient ON send_recipient.chain_id = message_send.chain_id
                 AND send_recipient.send_id = message_send.id
            WHERE message_send.chain_id = $1 AND message_send.offer_id = $15
              AND message_send.state = 'SENDING'
        ) AS had ON had.member_id = barred.member_id
        GROUP BY 1, 2, 3 ORDER BY 2, 3
        """,  # noqa: S608
        *who,
        PLATFORM if shared_number else None,
        offer_id,
    )
    return AudienceSize(
        chosen=sum(row["members"] for row in rows),
        reachable=tuple(
            AudienceCount(
                channel=Channel(row["channel"]),
                language=Language(row["read_in"]),
                members=row["members"],
                already=row["already"],
            )
            for row in rows
            if not row["barrier"]
        ),
    )


async def reaches_email(conn: Connection, who: tuple[object, ...]) -> bool:
    """Whether a marketing message may reach somebody by e-mail now."""
    found: bool = await conn.fetchval(
        f"""
        SELECT EXISTS (
            SELECT FROM ({_barred(CHOSEN)}) AS barred WHERE channel = 'EMAIL' AND barrier = ''
        )
        """,  # noqa: S608
        *who,
        None,
    )
    return found


async def page(
    conn: Connection,
    who: tuple[object, ...],
    *,
    shared_number: bool,
    language: Language,
    after: MemberId | None,
    looking: Looking,
    limit: int,
) -> list[AudienceMember]:
    """Some of an audience, in order of name, after one of them.

    Only of those who are shown it is read what they hold, and what bars them.
    """
    shown = f"""
    SELECT member_id, given_name, language, channel, address, verified
    FROM ({_barred(CHOSEN)}) AS barred
    WHERE ($15::uuid IS NULL OR ({_IN_ORDER}) > (
              SELECT {_IN_ORDER} FROM contact WHERE chain_id = $1 AND member_id = $15))
      AND ($17::uuid[] IS NULL OR member_id = ANY($17))
      AND (NOT $18::boolean OR barrier = '')
    ORDER BY {_IN_ORDER} LIMIT $16
    """  # noqa: S608
    rows = await conn.fetch(
        f"""
        SELECT member_id, language, channel, barrier, held.balance, held.tier_name,
               (SELECT last_visit_at FROM member_standing
                WHERE chain_id = $1 AND member_id = shown.member_id) AS last_visit_at
        FROM ({_barred(shown)}) AS shown
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(balance), 0)::bigint AS balance,
                   coalesce(max(tier_name), '') AS tier_name
            FROM member_account WHERE chain_id = $1 AND member_id = shown.member_id
        ) AS held
        ORDER BY {_IN_ORDER}
        """,  # noqa: S608
        *who,
        PLATFORM if shared_number else None,
        after,
        limit,
        None if looking.only is None else list(looking.only),
        looking.reachable,
    )
    return [
        AudienceMember(
            member_id=MemberId(row["member_id"]),
            channel=Channel(row["channel"]) if row["channel"] else None,
            barrier=row["barrier"],
            balance=row["balance"],
            tier_name=row["tier_name"],
            last_visit_at=row["last_visit_at"],
            language=Language(row["language"]) if row["language"] else language,
        )
        for row in rows
    ]
