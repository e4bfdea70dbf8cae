"""The statement that finds who is due reads no table whole, as few or as many orders as there are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.queries import reminders
from services.payments.ladder import ReminderPolicy, terms
from tests.notifications.one_database import empty
from tests.payments.many_orders import fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database

ORDERS = 20_000
WHOLE = {"products"}
"""There are a handful."""


@pytest.fixture
def filled(database: Database, application: sessionmaker[Session]) -> Iterator[None]:
    empty(database)
    fill(application, ORDERS)
    yield
    empty(database)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("ladder", [(), (1, 4, 7)], ids=["flat", "ladder"])
def test_no_table_is_read_whole(sessions: sessionmaker[Session], ladder: tuple[int, ...]) -> None:
    with sessions() as session:
        values = {**terms(ReminderPolicy(ladder=ladder), datetime.now(UTC)).values, "limit": 5000}
        found: Any = session.scalar(text(f"explain (format json) {reminders.CLAIM.text}"), values)
    (plan,) = json.loads(found) if isinstance(found, str) else found
    nodes = list(below(plan["Plan"]))
    read = {node.get("Relation Name") for node in nodes if node["Node Type"] == "Seq Scan"}
    assert read <= WHOLE
    assert {"orders", "profiles", "reminders", "payment_reminders"} <= {
        node.get("Relation Name") for node in nodes
    }


def below(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from below(child)
