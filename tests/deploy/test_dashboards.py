"""Dashboards and alerts name only what the code exports, and every alert says what to do."""

import importlib
import json
import re
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client import REGISTRY as DEFAULT_REGISTRY

from deploy.grafana import generate
from deploy.local import services
from deploy.local.layout import ROOT
from services.chassis.metrics import REGISTRY

# What Prometheus itself adds to every target.
OF_PROMETHEUS = {"up"}
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LANGUAGE = {
    *("sum", "by", "rate", "increase", "histogram_quantile", "max", "min", "topk", "and", "or"),
    *("le", "without", "avg", "count", "on", "unless", "bool", "offset", "time"),
}


def exported() -> set[str]:
    """Every time series that some service shows at /metrics."""
    for name in services.NAMES:
        if (ROOT / "services" / name / "metrics.py").exists():
            importlib.import_module(f"services.{name}.metrics")
    found = set()
    for registry in (REGISTRY, DEFAULT_REGISTRY):
        for family in registry.collect():
            suffixes = {
                "counter": ("_total",),
                "histogram": ("_bucket", "_count", "_sum"),
                "gauge": ("",),
            }.get(family.type, ("",))
            found |= {f"{family.name}{suffix}" for suffix in suffixes}
    return found


def metrics_of(query: str) -> set[str]:
    """The names of time series in a query: words that are no label, function or string."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(by|without|on)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    return {word for word in WORD.findall(bare) if word not in LANGUAGE}


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """Every query of every dashboard, with the title of its panel."""
    for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]


def rules() -> list[dict[str, object]]:
    """Every recording rule and alert."""
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_metric_of_the_dashboards_is_exported_by_the_code() -> None:
    queries = list(dashboard_queries())
    assert len(queries) >= 15
    there = exported()
    unknown = {title: metrics_of(query) - there for title, query in queries}
    assert {title: names for title, names in unknown.items() if names} == {}


def test_every_metric_of_the_alerts_is_exported_by_the_code() -> None:
    recorded = {str(rule["record"]) for rule in rules() if "record" in rule}
    there = exported() | recorded | OF_PROMETHEUS
    unknown = {str(rule): metrics_of(str(rule["expr"])) - there for rule in rules()}
    assert {rule: names for rule, names in unknown.items() if names} == {}


def test_a_metric_that_nobody_exports_would_be_found() -> None:
    """Goal: the two tests above can fail."""
    assert metrics_of('sum by (kind) (rate(loyalty_invented_total{kind="x"}[5m])) > 3') == {
        "loyalty_invented_total"
    }
    assert "loyalty_invented_total" not in exported()


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    alerts = {str(rule["alert"]) for rule in rules() if "alert" in rule}
    pages = {path.stem for path in (ROOT / "deploy" / "runbooks").glob("*.md")} - {"README"}
    assert alerts == pages
    for rule in rules():
        if "alert" in rule:
            annotations = rule["annotations"]
            assert isinstance(annotations, dict)
            assert annotations["runbook"] == f"deploy/runbooks/{rule['alert']}.md"


def test_the_committed_dashboard_is_the_generated_one() -> None:
    assert generate.TARGET.read_text(encoding="utf-8") == generate.text()


@pytest.mark.parametrize("name", services.NAMES)
def test_prometheus_scrapes_every_service(name: str) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = config["scrape_configs"][0]["static_configs"]
    assert {"targets": [f"{name}:9100"], "labels": {"service": name}} in targets
