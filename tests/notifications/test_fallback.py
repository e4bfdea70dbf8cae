"""WhatsApp gives way to SMS once, for a reason that is kept, and never after a delivery."""

from __future__ import annotations

import logging
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.notifications.fallback import give_way
from tests.notifications.pipeline import side_by_side
from tests.waiting import wait_for

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from services.notifications.fallback import Reason
    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

    Sessions = sessionmaker[Session]

NUMBER = "+33639980000"


@pytest.fixture
def notification(app: Application, client: Client) -> UUID:
    return app.notify(client, "Rendez-vous", "Demain.")


@pytest.fixture
def whatsapp(app: Application, notification: UUID) -> UUID:
    """The application's own delivery by WhatsApp, PENDING."""
    return app.deliver(notification, "WHATSAPP", NUMBER)


def change(application: Sessions, statement: str, **values: object) -> None:
    with application.begin() as session:
        session.execute(text(statement), values)


def rows(application: Sessions, statement: str) -> list[Any]:
    with application() as session:
        return list(session.execute(text(statement)))


def sent(application: Sessions, delivery_id: UUID) -> None:
    """The provider has taken it."""
    _settled(application, delivery_id, "SENT", "{}")


def failed(application: Sessions, delivery_id: UUID, code: str = "63003") -> None:
    """The provider has refused it, at once or by callback."""
    _settled(application, delivery_id, "FAILED", f'{{"code": "{code}"}}')


def _settled(application: Sessions, delivery_id: UUID, status: str, response: str) -> None:
    change(
        application,
        "update notification_deliveries set status = cast(:status as notification_status),"
        " sent_at = case when :status = 'SENT' then now() end,"
        " failed_at = case when :status = 'FAILED' then now() end,"
        " provider_response = cast(:response as jsonb) where id = :id",
        id=delivery_id,
        status=status,
        response=response,
    )
    change(application, "delete from fleet.dispatch where delivery_id = :id", id=delivery_id)


def received(application: Sessions, delivery_id: UUID, state: str) -> None:
    """The provider has said something of an accepted attempt."""
    change(
        application,
        "with attempt as (insert into fleet.attempts"
        " (delivery_id, number, channel, provider, closed_at, outcome, evidence, provider_message_id)"
        " values (:id, 1, 'WHATSAPP', 'twilio', now(), 'ACCEPTED', 'ANSWER', 'SM1') returning token)"
        f" insert into fleet.receipts (token, delivery_id, state, {state.lower()}_at)"
        " select token, :id, :state, now() from attempt",
        id=delivery_id,
        state=state,
    )


def decide(sessions: Sessions, clock: Clock, reason: Reason, *delivery_ids: UUID) -> list[UUID]:
    with sessions.begin() as session:
        return give_way(session, delivery_ids, reason, clock())


def by_sms(application: Sessions) -> list[tuple[str, str, str | None]]:
    found = rows(
        application,
        "select d.recipient, d.status::text, q.channel from notification_deliveries d"
        " left join fleet.dispatch q on q.delivery_id = d.id where d.channel = 'SMS'",
    )
    return [(recipient, status, queued) for recipient, status, queued in found]


@pytest.mark.parametrize("reason", ["REFUSED", "FAILED"])
def test_what_failed_gives_way_and_the_reason_is_kept(
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    client: Client,
    notification: UUID,
    whatsapp: UUID,
    reason: Reason,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed(application, whatsapp)
    with caplog.at_level(logging.INFO):
        assert decide(sessions, clock, reason, whatsapp) == [whatsapp]
    assert by_sms(application) == [(NUMBER, "PENDING", "SMS")]
    ((sms,),) = rows(application, "select id from notification_deliveries where channel = 'SMS'")
    assert rows(application, "select * from fleet.fallbacks") == [
        (notification, "WHATSAPP", "SMS", whatsapp, sms, client.user_id, reason, "63003", clock.now)
    ]
    assert caplog.messages == [f"delivery {whatsapp} gave way to delivery {sms} (WHATSAPP to SMS): {reason}"]
    assert NUMBER not in caplog.text


def test_what_was_not_delivered_in_time_gives_way(
    sessions: Sessions, application: Sessions, clock: Clock, whatsapp: UUID
) -> None:
    sent(application, whatsapp)
    received(application, whatsapp, "SENT")
    assert decide(sessions, clock, "NOT_DELIVERED", whatsapp) == [whatsapp]
    assert rows(application, "select reason, code from fleet.fallbacks") == [("NOT_DELIVERED", None)]


@pytest.mark.parametrize("state", ["DELIVERED", "OPENED", "CLICKED"])
def test_what_was_delivered_never_gives_way(
    sessions: Sessions, application: Sessions, clock: Clock, whatsapp: UUID, state: str
) -> None:
    sent(application, whatsapp)
    received(application, whatsapp, state)
    assert decide(sessions, clock, "NOT_DELIVERED", whatsapp) == []
    failed(application, whatsapp)
    assert decide(sessions, clock, "FAILED", whatsapp) == []
    assert (by_sms(application), rows(application, "select from fleet.fallbacks")) == ([], [])


def test_a_delivery_whose_state_does_not_call_for_it_keeps_its_way(
    sessions: Sessions, application: Sessions, clock: Clock, whatsapp: UUID
) -> None:
    assert decide(sessions, clock, "NOT_DELIVERED", whatsapp, uuid4()) == []
    assert decide(sessions, clock, "REFUSED", whatsapp) == []
    sent(application, whatsapp)
    assert decide(sessions, clock, "FAILED", whatsapp) == []
    failed(application, whatsapp)
    assert decide(sessions, clock, "NOT_DELIVERED", whatsapp) == []
    assert decide(sessions, clock, "FAILED") == []
    assert by_sms(application) == []


@pytest.mark.parametrize("channel", ["SMS", "EMAIL", "IN_APP", "PUSH"])
def test_other_channels_give_way_to_none(
    app: Application,
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    notification: UUID,
    channel: str,
) -> None:
    delivery_id = app.deliver(notification, channel, NUMBER)
    failed(application, delivery_id)
    assert decide(sessions, clock, "FAILED", delivery_id) == []


def test_a_notification_gives_way_once(
    sessions: Sessions, application: Sessions, clock: Clock, whatsapp: UUID
) -> None:
    failed(application, whatsapp)
    assert [len(decide(sessions, clock, "FAILED", whatsapp, whatsapp)) for _ in range(3)] == [1, 0, 0]
    # Not even where what took over is gone: nothing is to come twice because somebody tidied up.
    change(application, "delete from notification_deliveries where channel = 'SMS'")
    change(application, "delete from fleet.delivery_places where channel = 'SMS'")
    assert decide(sessions, clock, "FAILED", whatsapp) == []


def test_what_the_application_sends_both_ways_is_its_own_wish(
    app: Application,
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    notification: UUID,
    whatsapp: UUID,
) -> None:
    app.deliver(notification, "SMS", NUMBER)
    failed(application, whatsapp)
    assert decide(sessions, clock, "FAILED", whatsapp) == []
    assert len(by_sms(application)) == 1
    assert rows(application, "select from fleet.fallbacks") == []


def test_a_second_delivery_of_a_notification_does_not_speak_for_it(
    app: Application,
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    notification: UUID,
    whatsapp: UUID,
) -> None:
    sent(application, whatsapp)
    second = app.deliver(notification, "WHATSAPP", NUMBER)
    failed(application, second, "duplicate_delivery")
    assert decide(sessions, clock, "FAILED", second) == []


@pytest.mark.parametrize(("template", "priority"), [("DOCUMENT_REJECTED", 1), ("WELCOME", 2), (None, 2)])
def test_the_sms_is_as_urgent_as_the_message(
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    whatsapp: UUID,
    template: str | None,
    priority: int,
) -> None:
    change(application, "update notifications set template_code = :template", template=template)
    failed(application, whatsapp)
    decide(sessions, clock, "FAILED", whatsapp)
    assert rows(application, "select channel, priority from fleet.dispatch") == [("SMS", priority)]


def test_many_give_way_at_once(
    app: Application, client: Client, sessions: Sessions, application: Sessions, clock: Clock
) -> None:
    ids = [app.deliver(app.notify(client, f"Note {n}", "…"), "WHATSAPP", NUMBER) for n in range(20)]
    for delivery_id in ids:
        failed(application, delivery_id)
    assert decide(sessions, clock, "FAILED", *ids) == sorted(ids)
    assert len(by_sms(application)) == 20


def test_whoever_decides_at_the_same_moment_decides_once(
    app: Application, client: Client, sessions: Sessions, application: Sessions, clock: Clock
) -> None:
    ids = [app.deliver(app.notify(client, f"Note {n}", "…"), "WHATSAPP", NUMBER) for n in range(8)]
    for delivery_id in ids:
        failed(application, delivery_id)
    start = Barrier(3)
    decided: list[UUID] = []

    def settle() -> None:
        start.wait(10)
        decided.extend(decide(sessions, clock, "FAILED", *ids))

    def receipt() -> None:
        """A late word on each, which locks the deliveries in its own time."""
        start.wait(10)
        for delivery_id in ids:
            with sessions.begin() as session:
                lock = text("select from public.notification_deliveries where id = :id for update")
                session.execute(lock, {"id": delivery_id})
                decided.extend(give_way(session, [delivery_id], "FAILED", clock()))

    with side_by_side(settle, settle, receipt):
        pass
    assert sorted(decided) == sorted(ids)
    assert len(by_sms(application)) == 8
    assert rows(application, "select count(*) from fleet.fallbacks") == [(8,)]


def test_a_delivery_by_the_application_and_ours_compete_for_one_place(
    sessions: Sessions,
    application: Sessions,
    clock: Clock,
    notification: UUID,
    whatsapp: UUID,
) -> None:
    failed(application, whatsapp)
    with application.begin() as session:
        session.execute(
            text(
                "insert into notification_deliveries (notification_id, channel, recipient)"
                " values (:id, 'SMS', :number)"
            ),
            {"id": notification, "number": NUMBER},
        )
        ours: list[list[UUID]] = []
        with side_by_side(lambda: ours.append(decide(sessions, clock, "FAILED", whatsapp))):
            _wait_for_a_lock(application)
            session.commit()
    assert ours == [[]]
    assert len(by_sms(application)) == 1


def test_a_receipt_that_comes_first_is_seen_by_whoever_waited(
    sessions: Sessions, application: Sessions, clock: Clock, whatsapp: UUID
) -> None:
    sent(application, whatsapp)
    with application() as session:
        session.execute(
            text("select from notification_deliveries where id = :id for update"), {"id": whatsapp}
        )
        ours: list[list[UUID]] = []
        with side_by_side(lambda: ours.append(decide(sessions, clock, "NOT_DELIVERED", whatsapp))):
            _wait_for_a_lock(application)
            received(application, whatsapp, "DELIVERED")
            session.commit()
    assert ours == [[]]
    assert by_sms(application) == []


def _wait_for_a_lock(application: Sessions) -> None:
    """Until the other thread's statement waits for a lock."""
    waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    wait_for(lambda: rows(application, waiting))
