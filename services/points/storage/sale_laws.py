"""Laws of what comes and goes by itself and by sales: expiry, sales, refunds, standings."""

from __future__ import annotations

from services.points.storage.laws import Law

_EXPIRY = """
SELECT p.chain_id, 'posting ' || p.id AS row,
       'ends ' || p.points || ' at ' || p.occurred_at || ', but its lot '
       || coalesce(l.id::text, 'is not there') || ' gave ' || coalesce(u.points, 0)
       || ' and ends at ' || coalesce(l.expires_at::text, 'no time') AS detail
FROM posting AS p
LEFT JOIN lot_use AS u ON u.chain_id = p.chain_id AND u.posting_id = p.id
LEFT JOIN lot AS l ON l.chain_id = u.chain_id AND l.id = u.lot_id
WHERE p.kind = 'expiry'
  AND (l.id IS NULL OR u.points <> p.points OR l.expires_at IS DISTINCT FROM p.occurred_at
       OR p.business_key IS DISTINCT FROM 'expiry:' || l.id)
UNION ALL
SELECT u.chain_id, 'lot ' || u.lot_id, count(*) || ' entries end it'
FROM posting AS p
JOIN lot_use AS u ON u.chain_id = p.chain_id AND u.posting_id = p.id
WHERE p.kind = 'expiry'
GROUP BY u.chain_id, u.lot_id HAVING count(*) > 1
"""

_DUE = """
SELECT a.chain_id, 'account ' || a.id AS row,
       'points of it end at ' || l.ends || ', but it looks at '
       || coalesce(a.expiry_due::text, 'no time') AS detail
FROM account AS a
JOIN (SELECT chain_id, account_id, min(expires_at) AS ends
      FROM lot WHERE remaining > 0 AND expires_at IS NOT NULL
      GROUP BY chain_id, account_id) AS l
    ON l.chain_id = a.chain_id AND l.account_id = a.id
WHERE a.expiry_due IS NULL OR a.expiry_due > l.ends
"""

_BROUGHT = """
WITH earned AS (
    SELECT chain_id, sale_id,
           sum(points) FILTER (WHERE kind = 'earn') AS earned,
           sum(points) FILTER (WHERE kind = 'promotion') AS promoted,
           min(account_id::text) AS account_id,
           bool_and(business_key = 'sale:' || sale_id
                    || CASE kind WHEN 'promotion' THEN ':promotion' ELSE '' END) AS keyed
    FROM posting
    WHERE sale_id IS NOT NULL AND kind IN ('earn', 'promotion') AND change_id IS NULL
    GROUP BY chain_id, sale_id
), counted AS (
    SELECT chain_id, id AS sale_id, account_id::text AS account_id,
           (worth->>'base')::bigint + (worth->>'tier_bonus')::bigint AS earned,
           (worth->>'promotion')::bigint AS promoted,
           -- It became somebody's with what refunds had left of it.
           account_id IS NOT NULL AND EXISTS (
               SELECT FROM sale_change AS c
               WHERE c.chain_id = sale.chain_id AND c.sale_id = sale.id AND c.account_id IS NULL
           ) AS late
    FROM sale WHERE state = 'counted'
)
SELECT chain_id, 'sale ' || sale_id AS row,
       'worth ' || coalesce(c.earned, 0) || ' and ' || coalesce(c.promoted, 0)
       || ', but its entries brought ' || coalesce(e.earned, 0) || ' and '
       || coalesce(e.promoted, 0) AS detail
FROM earned AS e FULL JOIN counted AS c USING (chain_id, sale_id)
WHERE (NOT coalesce(c.late, false)
       AND (coalesce(e.earned, 0) <> coalesce(c.earned, 0)
            OR coalesce(e.promoted, 0) <> coalesce(c.promoted, 0)))
   OR e.account_id <> c.account_id OR NOT e.keyed
"""

_HELD = """
SELECT chain_id, 'sale ' || sale_id AS row,
       'brought ' || sum(points) FILTER (WHERE kind <> 'refund') || ', lost '
       || sum(points) FILTER (WHERE kind = 'refund') AS detail
FROM posting
WHERE sale_id IS NOT NULL AND kind IN ('earn', 'promotion', 'refund')
GROUP BY chain_id, sale_id
HAVING coalesce(sum(points) FILTER (WHERE kind = 'refund'), 0)
     > coalesce(sum(points) FILTER (WHERE kind <> 'refund'), 0)
"""

_CHANGED = """
WITH moved AS (
    SELECT chain_id, sale_id, change_id, id,
           CASE WHEN destination = account_id THEN points ELSE -points END AS points
    FROM posting WHERE sale_id IS NOT NULL AND (change_id IS NOT NULL OR kind = 'refund')
)
SELECT chain_id, 'change ' || coalesce(change_id, '') || ' of sale ' || sale_id AS row,
       'moved ' || coalesce(c.points, 0) || ', but its entry ' || coalesce(p.points, 0) AS detail
FROM sale_change AS c FULL JOIN moved AS p USING (chain_id, sale_id, change_id)
WHERE coalesce(c.points, 0) <> coalesce(p.points, 0) OR c.posting_id IS DISTINCT FROM p.id
"""

# What a standing rests on, told generously: a year is counted in a zone that may have changed.
_STANDING = """
SELECT s.chain_id, 'standing of account ' || s.account_id AS row,
       'threshold ' || s.threshold || ' with ' || coalesce(base.points, 0)
       || ' base points of the year to ' || s.founded_at AS detail
FROM tier_standing AS s
LEFT JOIN account AS a ON a.chain_id = s.chain_id AND a.id = s.account_id
LEFT JOIN program AS own ON own.chain_id = a.chain_id AND own.id = a.program_id
LEFT JOIN LATERAL (
    SELECT sum(points) AS points FROM (
        SELECT occurred_at AS at, points - tier_bonus AS points FROM posting
        WHERE chain_id = s.chain_id AND account_id = s.account_id AND kind = 'earn'
          AND change_id IS NULL
        UNION ALL
        SELECT counts_at, base_points FROM sale_change
        WHERE chain_id = s.chain_id AND account_id = s.account_id AND base_points <> 0
    ) AS counted
    WHERE at >= own.tiers_launched_at AND at <= s.founded_at
      AND at > s.founded_at - interval '1 year 1 day'
) AS base ON true
WHERE a.id IS NULL OR (s.threshold > 0) <> (s.kept_until IS NOT NULL)
   OR s.founded_at < s.entered_at OR s.kept_until <= s.founded_at
   OR (s.threshold > 0 AND own.tiers_launched_at <= s.entered_at
       AND coalesce(base.points, 0) < s.threshold)
"""

SALE_LAWS = (
    Law(words="each expiry ends one lot, once, when it was promised", statement=_EXPIRY),
    Law(words="no points end before their account looks", statement=_DUE),
    Law(words="a sale that was counted brought what it is worth", statement=_BROUGHT),
    Law(words="no sale loses more than it brought", statement=_HELD),
    Law(words="each refund and exchange moved what it says", statement=_CHANGED),
    Law(words="each tier rests on the points that reach it", statement=_STANDING),
)
