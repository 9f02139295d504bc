"""Writes the dashboard of the main job: `python -m deploy.grafana.generate`.

A dashboard by hand is four hundred lines of geometry; here it is one line for each question.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent / "dashboards" / "main-job.json"
COLUMNS, WIDTH, HEIGHT = 3, 8, 7
MAIN_METHODS = "EarnPoints|TakeReward|UseReward|EnrollMember"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question, its queries by legend, and the unit of the answer."""

    title: str
    queries: dict[str, str]
    unit: str = "short"


def quantile(share: str, metric: str, by: str, where: str = "") -> str:
    """A quantile over a histogram, kept apart by one label."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{where}[5m])))"


_RPC = "loyalty_rpc_handled_seconds"
_MAIN = f'{{method=~".*({MAIN_METHODS})"}}'
_FAILED = (
    f'{{method=~".*({MAIN_METHODS})", outcome=~"INTERNAL|UNKNOWN|UNAVAILABLE|DEADLINE_EXCEEDED"}}'
)

ROWS: dict[str, list[Panel]] = {
    "Join, earn, take, use": [
        Panel(
            title="Calls answered",
            queries={"{{method}}": f"sum by (method) (rate({_RPC}_count{_MAIN}[1m]))"},
            unit="reqps",
        ),
        Panel(
            title="Half of the calls take less than",
            queries={"{{method}}": quantile("0.5", _RPC, "method", _MAIN)},
            unit="s",
        ),
        Panel(
            title="One call in a hundred takes more than",
            queries={"{{method}}": quantile("0.99", _RPC, "method", _MAIN)},
            unit="s",
        ),
        Panel(
            title="Failures (refusals are answers and do not count)",
            queries={
                "{{method}} {{outcome}}": "sum by (method, outcome) "
                f"(rate({_RPC}_count{_FAILED}[5m]))"
            },
            unit="reqps",
        ),
        Panel(
            title="Refusals at the door",
            queries={"{{code}}": "sum by (code) (rate(loyalty_http_refusals_total[5m]))"},
            unit="reqps",
        ),
        Panel(
            title="Calls between services that failed",
            queries={
                "{{method}} {{outcome}}": "sum by (method, outcome) "
                '(rate(loyalty_peer_calls_total{outcome=~"UNAVAILABLE|DEADLINE_EXCEEDED"}[5m]))'
            },
            unit="reqps",
        ),
    ],
    "What members do": [
        Panel(
            title="Joined",
            queries={
                "{{source}} {{outcome}}": "sum by (source, outcome) "
                "(increase(loyalty_members_enrolled_total[10m]))"
            },
        ),
        Panel(
            title="Points earned",
            queries={"{{source}}": "sum by (source) (increase(loyalty_points_earned_total[10m]))"},
        ),
        Panel(
            title="Earns by outcome",
            queries={"{{outcome}}": "sum by (outcome) (rate(loyalty_earns_total[1m]))"},
            unit="reqps",
        ),
        Panel(
            title="Rewards taken, used, restored",
            queries={
                "taken {{outcome}}": "sum by (outcome) "
                "(increase(loyalty_rewards_taken_total[10m]))",
                "used {{outcome}}": "sum by (outcome) (increase(loyalty_rewards_used_total[10m]))",
                "coupons taken": "sum(increase(loyalty_coupons_taken_total[10m]))",
                "restored": "sum(increase(loyalty_rewards_restored_total[10m]))",
            },
        ),
        Panel(
            title="Messages by outcome",
            queries={
                "{{kind}} {{channel}} {{state}}": "sum by (kind, channel, state) "
                "(increase(loyalty_deliveries_total[10m]))"
            },
        ),
        Panel(
            title="Wrong codes",
            queries={
                "typed at earning, {{kind}}": "sum by (kind) "
                "(increase(loyalty_code_failures_total[10m]))",
                "one-time codes": "sum("
                'increase(loyalty_codes_checked_total{outcome="wrong"}[10m]))',
            },
        ),
    ],
    "The books": [
        Panel(
            title="Rows at fault in the last ledger check",
            queries={"rows": "max(loyalty_ledger_imbalance)"},
        ),
        Panel(
            title="Rewards whose points do not agree yet",
            queries={
                "rewards": "sum(loyalty_settlements_open)",
                "age of the oldest in seconds": "max(loyalty_settlements_oldest_seconds)",
            },
        ),
        Panel(
            title="Items done together, 99 %, and items that wait",
            queries={
                "{{queue}}": "histogram_quantile(0.99, "
                "sum by (le, queue) (rate(loyalty_gathered_items_bucket[5m])))",
                "{{queue}} waiting": "sum by (queue) (loyalty_gathering_items)",
            },
        ),
    ],
    "The front door": [
        Panel(
            title="Requests",
            queries={
                "{{status}}": "sum by (status) (rate(loyalty_http_request_seconds_count[1m]))"
            },
            unit="reqps",
        ),
        Panel(
            title="Slowest routes, 99 %",
            queries={
                "{{route}}": f"topk(8, {quantile('0.99', 'loyalty_http_request_seconds', 'route')})"
            },
            unit="s",
        ),
        Panel(
            title="Open now",
            queries={
                "requests": "sum(loyalty_http_requests_in_flight)",
                "live screens": "sum(loyalty_live_screens)",
            },
        ),
    ],
    "Events": [
        Panel(
            title="Oldest event that waits to leave",
            queries={"{{service}}": "loyalty_outbox_oldest_unpublished_seconds"},
            unit="s",
        ),
        Panel(
            title="Events that wait to leave",
            queries={"{{service}}": "loyalty_outbox_unpublished"},
        ),
        Panel(
            title="One event in a hundred leaves later than",
            queries={"{{service}}": quantile("0.99", "loyalty_outbox_lag_seconds", "service")},
            unit="s",
        ),
        Panel(
            title="Events published",
            queries={"{{topic}}": "sum by (topic) (rate(loyalty_outbox_published_total[1m]))"},
            unit="ops",
        ),
        Panel(
            title="Events not read yet",
            queries={"{{group}} {{topic}}": "loyalty_consumer_lag"},
        ),
        Panel(
            title="Events read",
            queries={
                "{{group}} {{outcome}}": "sum by (group, outcome) "
                "(rate(loyalty_consumer_events_total[1m]))"
            },
            unit="ops",
        ),
        Panel(
            title="Dead letters, gaps and replays in an hour",
            queries={
                "dead {{group}}": "increase(loyalty_dead_letters_total[1h])",
                "gap {{group}}": "increase(loyalty_consumer_gap_total[1h])",
                "replay {{service}}": "increase(loyalty_outbox_replays_total[1h])",
            },
        ),
    ],
    "Under the floor": [
        Panel(
            title="Timed work",
            queries={
                "{{kind}} {{outcome}}": "sum by (kind, outcome) (rate(loyalty_jobs_total[5m]))"
            },
            unit="ops",
        ),
        Panel(
            title="Connections to PostgreSQL",
            queries={"{{service}} {{state}}": "loyalty_postgres_pool_connections"},
        ),
        Panel(
            title="How late each process is",
            queries={"{{service}}": "loyalty_event_loop_lag_seconds"},
            unit="s",
        ),
    ],
}


def drawn(panel: Panel, *, number: int, x: int, y: int) -> dict[str, object]:
    """One panel as Grafana wants it."""
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 8}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def dashboard() -> dict[str, object]:
    """The whole dashboard: rows of panels, three beside each other."""
    panels: list[dict[str, object]] = []
    y = 0
    for title, row in ROWS.items():
        heading = {"x": 0, "y": y, "w": WIDTH * COLUMNS, "h": 1}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "gridPos": heading, "panels": []}
        )
        y += 1
        for index, panel in enumerate(row):
            place = {"x": index % COLUMNS * WIDTH, "y": y + index // COLUMNS * HEIGHT}
            panels.append(drawn(panel, number=len(panels) + 1, **place))
        y += -(-len(row) // COLUMNS) * HEIGHT
    return {
        "uid": "meche-main-job",
        "title": "Main job: join, earn, take, use",
        "tags": ["meche"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }


def text() -> str:
    """The file's content; the same rows give the same bytes."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} written\n")
