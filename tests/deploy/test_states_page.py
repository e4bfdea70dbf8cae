"""docs/states.md draws the states that there are: those of the enums, and of the checks in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from db.models.enums import DocumentStatus, DossierStatus, NotificationStatus, OrderStatus, UserStatus
from db.queries import steps
from services.payments.guards import _SETTLES
from tests.deploy.composed import ROOT

if TYPE_CHECKING:
    from enum import StrEnum

PAGE = (ROOT / "docs/states.md").read_text("utf-8")
SQL = (ROOT / "db/sql/fleet/01_tables.sql").read_text("utf-8")
_STATE = re.compile(r"(?:^|-->) *([A-Z][A-Z0-9_]+)\b", re.MULTILINE)
_ARROW = re.compile(r"^ *(\S+) --> (\S+?)(?:: (.*))?$", re.MULTILINE)


def diagram(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("```mermaid\nstateDiagram-v2\n", 1)[1].split("```", 1)[0]


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("A delivery", NotificationStatus),
        ("An order", OrderStatus),
        ("A profile", UserStatus),
        ("A dossier", DossierStatus),
        ("A document", DocumentStatus),
    ],
    ids=["delivery", "order", "profile", "dossier", "document"],
)
def test_every_state_is_drawn_and_no_other(heading: str, states: type[StrEnum]) -> None:
    assert set(_STATE.findall(diagram(heading))) == set(states)


def test_every_outcome_of_an_attempt_is_drawn() -> None:
    attempts = SQL.split("create table fleet.attempts", 1)[1]
    known = re.search(r"constraint known_outcome check \(outcome in \((.*?)\)\)", attempts)
    assert known is not None
    assert set(_STATE.findall(diagram("An attempt"))) == set(re.findall(r"'(\w+)'", known[1]))


def test_orders_are_settled_from_where_the_guards_allow() -> None:
    settled = {begun for begun, end, why in _ARROW.findall(diagram("An order")) if why == "settled"}
    assert settled | {OrderStatus.PAID, OrderStatus.REFUNDED} == _SETTLES


def test_no_dossier_goes_on_from_where_the_fleet_lets_it_rest() -> None:
    begun = {begun for begun, _, _ in _ARROW.findall(diagram("A dossier"))}
    assert begun.isdisjoint(steps.ENDED)
    resting = re.search(r"^In (.+) no approval moves it on", PAGE, re.MULTILINE)
    assert resting is not None
    assert set(re.findall(r"[A-Z]{2,}", resting[1])) == set(steps.ENDED)


def test_nothing_is_drawn_that_leads_nowhere() -> None:
    for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE):
        arrows = _ARROW.findall(diagram(heading))
        reached = {end for _, end, _ in arrows}
        assert {begun for begun, _, _ in arrows} - {"[*]"} <= reached, heading
