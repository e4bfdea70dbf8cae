"""What operators do: said first with what it costs, done once, recorded with their name and why."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from db.queries import findings, schedule
from tests.notifications.pipeline import email, execute
from tests.workers.operators import NAME, Operator
from tests.workers.ops_desk import leaving, operator, published
from tests.workers.test_by_hand import failed

if TYPE_CHECKING:
    import urllib3
    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.workers.ops_desk import Published
    from workers.dev.application import Application, Client

__all__ = ["leaving", "operator", "published"]  # fixtures


@pytest.fixture(autouse=True)
def _signed_in(operator: Operator) -> None:
    operator.sign_in()


def recorded(operator: Operator) -> list[tuple[str, str, str, UUID | None]]:
    found = operator.rows("select action, who, why, subject from fleet.interventions order by at, subject")
    return [tuple(row) for row in found]


def count(answer: urllib3.BaseHTTPResponse) -> int:
    """To how many rows it was done, by where it leads."""
    assert answer.status == 303
    return int(answer.headers["Location"].rpartition("count=")[2])


def status(operator: Operator, delivery_id: UUID) -> tuple[str, str | None]:
    (row,) = operator.rows(
        "select status::text, provider_response ->> 'code' from notification_deliveries where id = :id",
        id=delivery_id,
    )
    return row[0], row[1]


def test_a_failed_delivery_is_retried(
    operator: Operator, app: Application, client: Client, owner_url: str
) -> None:
    lost, kept = (
        failed(owner_url, email(app, client)),
        failed(owner_url, email(app, client), "duplicate_delivery"),
    )
    execute(
        owner_url,
        "insert into fleet.attempts"
        " (delivery_id, number, channel, provider, price, price_unit, closed_at, outcome)"
        f" values ('{lost}', 1, 'EMAIL', 'sendgrid', 0.01, 'USD', now(), 'REFUSED')",
    )
    asked = {"id": [lost, kept]}
    page = operator.read(f"/do/retry?id={lost}&id={kept}")
    assert "1 failed deliveries (EMAIL) are sent once more" in page
    assert "about $0.01" in page
    assert f"{kept}: another delivery says the same" in page
    assert status(operator, lost) == ("FAILED", "http_400")
    assert recorded(operator) == []

    answer = operator.do("retry", asked, "the template is mended")
    assert answer.status == 303
    assert answer.headers["Location"] == f"../story/{lost}?done=retry&count=1"
    assert "1 are due again" in operator.read(f"/story/{lost}?done=retry&count=1")
    assert status(operator, lost)[0] == "PENDING"
    assert status(operator, kept)[0] == "FAILED"
    assert recorded(operator) == [("retry", NAME, "the template is mended", lost)]
    assert f"retry by {NAME}: the template is mended" in operator.read(f"/story/{lost}")
    assert count(operator.post("/do/retry", {"id": lost, "why": "again"})) == 0
    assert len(recorded(operator)) == 1
    assert NAME in operator.read("/lists/by-hand")


def test_a_waiting_delivery_is_given_up(operator: Operator, app: Application, client: Client) -> None:
    waiting, held, other = (email(app, client) for _ in range(3))
    operator.change(
        "update fleet.dispatch set lease_until = now() + interval '1 hour' where delivery_id = :id", id=held
    )
    operator.change(
        "insert into fleet.attempts (delivery_id, number, channel, provider)"
        " values (:id, 1, 'EMAIL', 'sendgrid')",
        id=waiting,
    )
    assert "are not sent any more" in operator.read(f"/do/cancel?id={waiting}")
    assert count(operator.do("cancel", {"id": [waiting, held]}, "wrong person")) == 1
    assert status(operator, waiting) == ("FAILED", "given_up")
    assert status(operator, held) == ("PENDING", None)
    assert status(operator, other) == ("PENDING", None)
    queued = {row.delivery_id for row in operator.rows("select delivery_id from fleet.dispatch")}
    assert queued == {held, other}
    assert [row[0] for row in operator.rows("select outcome from fleet.attempts")] == ["NO_EVIDENCE"]
    assert recorded(operator) == [("cancel", NAME, "wrong person", waiting)]
    assert "There is nothing to do" in operator.read(f"/do/cancel?id={waiting}")
    assert count(operator.do("retry", {"id": waiting})) == 1
    assert status(operator, waiting)[0] == "PENDING"


def test_a_channel_is_paused_and_resumed(operator: Operator) -> None:
    assert "Nothing more is sent on SMS" in operator.read("/do/pause?channel=SMS")
    answer = operator.post("/do/pause", {"channel": "SMS", "length": "2h", "why": "prices"})
    assert answer.headers["Location"] == "../?done=pause&count=1"
    (pause,) = operator.rows("select kind, detail, paused_until - paused_at as long from fleet.channels")
    assert (pause.kind, pause.detail, pause.long.total_seconds()) == ("BY_HAND", f"{NAME}: prices", 7200)
    assert "SMS is paused: by_hand" in operator.read("/?done=pause&count=1")
    assert f"BY_HAND by_hand: {NAME}: prices" in operator.read("/do/resume?channel=SMS")
    assert operator.do("resume", {"channel": "SMS"}, "paid").status == 303
    assert operator.rows("select * from fleet.channels") == []
    assert [row[0] for row in recorded(operator)] == ["pause", "resume"]
    assert count(operator.post("/do/resume", {"channel": "SMS", "why": "x"})) == 0
    assert count(operator.post("/do/pause", {"channel": "PIGEON", "why": "x"})) == 0
    assert len(recorded(operator)) == 2


def test_dead_letters_are_replayed(
    operator: Operator, app: Application, client: Client, owner_url: str
) -> None:
    delivery_id = email(app, client)
    execute(
        owner_url,
        "update fleet.dispatch set parked_at = now(), last_code = 'RenderError'",
        "insert into fleet.inbox (provider, callback_id, body, parked_at, last_error)"
        " values ('stripe', 'evt/1 ?', '{}', now(), 'DataError')",
    )
    page = operator.read("/lists/dead-letters")
    assert "stripe/evt/1 ?" in page
    assert "RenderError" in page
    assert "stripe" not in operator.read("/lists/dead-letters?queue=email")
    assert "1 dead letters (email) are due again" in operator.read(f"/do/replay?id={delivery_id}&queue=email")
    assert operator.do("replay", {"id": [str(delivery_id), "stripe/evt/1 ?"]}).headers["Location"] == (
        "../lists/dead-letters?done=replay&count=2"
    )
    assert operator.rows("select 1 from fleet.dispatch where parked_at is not null") == []
    assert operator.rows("select 1 from fleet.inbox where parked_at is not null") == []
    assert [row[:3] for row in recorded(operator)] == [("replay", NAME, "mended")]
    assert count(operator.do("replay", {"queue": "email"})) == 0


def test_all_dead_letters_are_never_meant_by_saying_nothing(operator: Operator, owner_url: str) -> None:
    execute(owner_url, "insert into fleet.outbox (event_id, parked_at) values (gen_random_uuid(), now())")
    assert "There is nothing to do" in operator.read("/do/replay")
    assert count(operator.post("/do/replay", {"why": "x"})) == 0


def test_a_finding_is_resolved_with_a_note(
    operator: Operator, sessions: sessionmaker[Session], clock: Clock
) -> None:
    with sessions.begin() as session:
        findings.put(session, "DISPUTE", "du_1", {}, "told", clock.now)
        (found,) = findings.listing(session, open_only=True, kind=None, limit=9)
    assert "DISPUTE about du_1" in operator.read(f"/do/resolve?id={found.id}")
    answer = operator.do("resolve", {"id": found.id}, "won")
    assert answer.headers["Location"] == f"../findings/{found.id}?done=resolve&count=1"
    assert f"{NAME}: won" in operator.read(f"/findings/{found.id}")
    assert recorded(operator) == [("resolve", NAME, "won", found.id)]
    assert count(operator.post("/do/resolve", {"id": found.id, "why": "x"})) == 0
    assert "There is nothing to do" in operator.read(f"/do/resolve?id={uuid4()}")


def test_a_run_of_the_timetable_is_called_once(
    operator: Operator, published: Published, sessions: sessionmaker[Session]
) -> None:
    assert "forget-links" in operator.read("/schedule")
    assert (
        operator.do("run", {"name": "forget-links"}, "now").headers["Location"]
        == "../schedule?done=run&count=1"
    )
    ((queue, name, claim),) = published
    with sessions() as session:
        assert schedule.read(session)["forget-links"].claim == claim
    assert (queue, name) == ("maintenance", "forget-links")
    assert count(operator.do("run", {"name": "forget-links"}, "again")) == 0
    assert len(published) == 1
    assert [row[:3] for row in recorded(operator)] == [("run", NAME, "now")]
    assert "There is nothing to do" in operator.read("/do/run?name=none")


@pytest.mark.parametrize("why", ["", "  ", "w" * 501])
def test_nothing_is_done_without_a_reason(operator: Operator, why: str) -> None:
    answer = operator.post("/do/pause", {"channel": "SMS", "why": why})
    assert answer.status == 400
    assert "Say why" in answer.data.decode()
    assert operator.rows("select 1 from fleet.channels") == []
    assert recorded(operator) == []
