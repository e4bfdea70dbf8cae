"""The operators' overview with a million deliveries in the table, over HTTP: how long an answer takes."""

from __future__ import annotations

import json
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from db.engine import dsn
from tests.notifications.pipeline import Clock
from tests.waiting import wait_for
from tests.workers.ingress_server import serving
from tests.workers.operators import Operator, pages
from tests.workers.ops_desk import rest
from workers.dev.application import Application
from workers.ops.overview import KEPT_SECONDS

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

DELIVERIES = 1_000_000
LONGEST_SECONDS = 0.2
ASKED = 12

# As two months of work leave it: one in ten of the last hour's has failed, some wait, some are parked.
FILL = (
    "alter table notification_deliveries disable trigger all",
    "alter table notifications disable trigger all",
    """
    create temporary table made as
      select n, gen_random_uuid() as notification_id, gen_random_uuid() as delivery_id,
        gen_random_uuid() as token, now() - n * cast(%(span)s as interval) / %(count)s as at,
        (array['EMAIL', 'SMS', 'WHATSAPP'])[1 + n %% 3] as channel
      from generate_series(1, %(count)s) n
    """,
    """
    insert into notifications (id, user_id, template_code, title, message, created_at)
    select notification_id, %(user)s, 'WELCOME', 'Bonjour', 'Bonjour', at from made
    """,
    """
    insert into notification_deliveries
      (id, notification_id, channel, recipient, status, created_at, provider_response)
    select delivery_id, notification_id, channel::notification_channel, 'camille@example.com',
      (case when n %% 10 = 0 then 'FAILED' else 'SENT' end)::notification_status, at,
      case when n %% 10 = 0 then '{"code": "http_400"}'::jsonb else '{}' end
    from made
    """,
    """
    insert into fleet.attempts
      (token, delivery_id, number, channel, provider, opened_at, closed_at, outcome, code,
       provider_message_id)
    select token, delivery_id, 1, channel, 'made-up', at, case when n > 20 then at end,
      case when n <= 20 then null when n %% 10 = 0 then 'REFUSED' else 'ACCEPTED' end,
      case when n %% 10 = 0 then 'http_400' end, n::text
    from made
    """,
    """
    insert into fleet.receipts (token, delivery_id, state, delivered_at)
    select token, delivery_id, 'DELIVERED', at from made where n %% 10 <> 0 and n > 20
    """,
    """
    insert into fleet.dispatch (delivery_id, channel, due_at, parked_at)
    select delivery_id, channel, at, case when n <= 5 then at end from made where n <= %(waiting)s
    """,
    "alter table notification_deliveries enable trigger all",
    "alter table notifications enable trigger all",
    "vacuum analyze",
)


def charted(operator: Operator) -> int:
    """How many tries of the last hour the charts show."""
    channels = json.loads(operator.get("/overview.json").data)["charts"]["channels"]
    return sum(sum(series) for states in channels.values() for series in states.values())


@pytest.fixture
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


def fill(owner_url: str, count: int, span: str, waiting: int) -> None:
    with Application(owner_url) as platform:
        user_id = platform.register("camille@example.com", "Camille Exemple").user_id
    values = {"count": count, "user": user_id, "span": span, "waiting": waiting}
    with psycopg.connect(dsn(owner_url), autocommit=True) as connection:
        for statement in FILL:
            connection.execute(statement.encode(), values)


@pytest.mark.parametrize(
    ("span", "waiting"), [("60 days", 1_000), ("60 days", DELIVERIES // 2), ("1 hour", 1_000)]
)
def test_the_overview_of_a_million_deliveries(
    owner_url: str,
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    leaving: list[threading.Thread],
    span: str,
    waiting: int,
) -> None:
    fill(owner_url, DELIVERIES, span, waiting)
    clock = Clock()
    with serving(sessions, clock, leaving, pages(sessions, clock)) as caller:
        operator = Operator(caller, application)
        operator.sign_in()
        operator.read("/")  # templates are compiled, connections opened
        for path in (
            "/overview.json",
            "/",
            "/lists/tries",
            "/lists/deliveries?status=FAILED",
            "/lists/unknown",
        ):
            took = []
            for _ in range(ASKED):
                clock.now = datetime.now(UTC)
                begun = time.perf_counter()
                assert operator.get(path).status == 200
                took.append(time.perf_counter() - begun)
                if "lists" not in path:
                    time.sleep(KEPT_SECONDS + 0.01)  # each is to ask the database anew
            quick, slow = statistics.median(took), max(took)
            sys.stdout.write(
                f"\n{DELIVERIES:,} deliveries of {span}, {waiting:,} waiting: {path} in {1000 * quick:.0f} ms"
                f" (median), {1000 * slow:.0f} ms (slowest of {len(took)})"
            )
            assert slow < LONGEST_SECONDS or "lists" in path
        assert wait_for(lambda: charted(operator), 30) > DELIVERIES / 2000
    rest()
    sys.stdout.write("\n")
