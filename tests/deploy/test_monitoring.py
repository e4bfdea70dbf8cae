"""The alerts and the dashboard: they name what the fleet tells, fire when they should, and say what to do."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import jsonschema
import psycopg
import pytest
import yaml
from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from db.engine import dsn, make_engine
from schedules.timetable import timetable
from tests.deploy.composed import ROOT
from tests.deploy.test_pages import anchors
from tests.programs import needed
from tests.workers.misfortunes import MISFORTUNES, befall
from workers.clock import utc_now
from workers.metrics import DatabaseMetrics, IngressMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.databases import Database

RULES = ROOT / "docs/monitoring/fleet.rules.yml"
RULES_TEST = ROOT / "tests/deploy/fleet.rules.test.yml"
DASHBOARD = ROOT / "docs/monitoring/fleet.dashboard.json"
DASHBOARD_SCHEMA = ROOT / "tests/deploy/dashboard.schema.json"
RUNBOOK = ROOT / "docs/runbook.md"

SEEN_BY_PROMETHEUS_ALONE = {"FleetNotSeen", "FleetDatabaseAway", "FleetCallbacksRefused"}

METRIC = re.compile(r"\bfleet_\w+")
GROUPED = re.compile(r"\w+ by \(([\w, ]+)\) \((?:[a-z_]+\()*(?:max by \([\w, ]+\) \()?(fleet_\w+)")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return read


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])


@pytest.fixture(scope="module")
def told(module_database: Database) -> Mapping[str, set[str]]:
    """The labels of everything that an ingress tells on a bad day, by the names of the series."""
    befall(module_database.owner_url, utc_now(), *MISFORTUNES)
    with psycopg.connect(dsn(module_database.owner_url)) as connection:
        connection.execute(
            "insert into fleet.fallbacks "
            "(notification_id, from_channel, to_channel, user_id, reason, decided_at)"
            " values (gen_random_uuid(), 'WHATSAPP', 'SMS', gen_random_uuid(), 'REFUSED', now())"
        )
        connection.execute(
            "insert into fleet.receipts (token, delivery_id, state, delivered_at)"
            " select token, delivery_id, 'DELIVERED', now() from fleet.attempts"
        )
    registry = CollectorRegistry()
    ingress = IngressMetrics(registry)
    ingress.taken("stripe", 1, 0)
    ingress.refused("stripe", "signature")
    ingress.answered("stripe", 0.01)
    engine = make_engine(module_database.url, pool_size=1)
    sessions: sessionmaker[Session] = sessionmaker(engine)
    registry.register(DatabaseMetrics(sessions, lambda: utc_now() + timedelta(seconds=1), timetable(), 0.1))
    samples = [sample for family in registry.collect() for sample in family.samples]
    engine.dispose()
    return {sample.name: {*sample.labels} for sample in samples}


def test_the_fleet_tells_every_figure_that_is_asked_for(told: Mapping[str, set[str]]) -> None:
    asked_for = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert asked_for <= told.keys()


def test_the_figures_have_the_labels_that_are_asked_for(told: Mapping[str, set[str]]) -> None:
    found = [match for expression in expressions() for match in GROUPED.findall(expression)]
    assert len(found) >= 20
    for labels, metric in found:
        assert set(labels.split(", ")) <= told[metric], f"{metric} has no {labels}"
    for expression in expressions():
        for metric, label in re.findall(r"\b(fleet_\w+)\{(\w+)!?[=~]", expression):
            assert label in told[metric]


def test_every_rule_says_what_it_means_and_where_to_read_on() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_the_runbook_has_a_heading_for_every_alert() -> None:
    assert {rule["alert"].lower() for rule in rules()} <= anchors(RUNBOOK)


def test_fleet_check_knows_the_alerts_that_the_database_can_tell() -> None:
    assert {rule["alert"] for rule in rules()} - SEEN_BY_PROMETHEUS_ALONE == MISFORTUNES.keys()


@pytest.mark.parametrize(("command", "file"), [("check", RULES), ("test", RULES_TEST)], ids=["check", "test"])
def test_the_rules_hold_before_prometheus_itself(command: str, file: object) -> None:
    done = subprocess.run(
        [needed("promtool", "prometheus"), command, "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_time_when_it_fires_and_one_when_it_does_not() -> None:
    cases = [
        case
        for test in yaml.safe_load(RULES_TEST.read_text("utf-8"))["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_the_dashboard_is_one_of_grafanas() -> None:
    jsonschema.validate(dashboard(), json.loads(DASHBOARD_SCHEMA.read_text("utf-8")))


def test_no_panel_lies_on_another() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart
        assert one["x"] + one["w"] <= 24
