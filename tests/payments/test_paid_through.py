"""An order that is paid after reminders: which of them led to it, and how the client is welcomed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.notifications.fanout import FanOut
from services.payments.applying import Learned, Outcome
from tests.notifications.pipeline import JITTER, POLICY, RENDERER, never
from tests.payments.till import NOW, given_back, opened, paid

if TYPE_CHECKING:
    from datetime import datetime

    from providers.payments import Checkout
    from tests.payments.till import Till
    from workers.dev.application import Client

PAID_AT = NOW - timedelta(minutes=50)


def remind(
    till: Till,
    client: Client,
    number: int,
    *sessions: Checkout,
    state: str = "SENT",
    sent_at: datetime = NOW - timedelta(days=1),
) -> None:
    """A reminder with the sessions that were made for it and for its link."""
    till.change(
        "insert into fleet.reminders"
        " (order_id, number, user_id, claimed_at, due_at, state, token, amount, currency, sent_at)"
        " select id, :number, user_id, :at, :at, cast(:state as text), :token, amount, currency,"
        "   case when :state = 'SENT' then cast(:at as timestamptz) end"
        " from orders where id = :order",
        number=number,
        order=client.order_id,
        at=sent_at,
        state=state,
        token=uuid4().hex,
    )
    for checkout in sessions:
        till.change(
            "insert into fleet.reminder_sessions (session_id, order_id, number, created_at, expires_at)"
            " values (:session, :order, :number, :at, :at)",
            session=checkout.session_id,
            order=client.order_id,
            number=number,
            at=sent_at,
        )


def led(till: Till, client: Client) -> dict[int, datetime]:
    """The reminders that have led to a payment."""
    found = till.rows(
        "select number, paid_at from fleet.reminders where order_id = :id and paid_at is not null",
        id=client.order_id,
    )
    return {row.number: row.paid_at for row in found}


def payloads(till: Till, client: Client) -> dict[str, Any]:
    """Of the events of the payment, by their type."""
    found = till.rows(
        "select event_type::text, payload from events where payload ->> 'order_id' = :id",
        id=str(client.order_id),
    )
    return {row.event_type: row.payload for row in found}


def test_the_reminder_whose_session_was_paid_has_led_to_it(till: Till) -> None:
    client = till.register()
    first, second = opened(client), opened(client)
    remind(till, client, 1, first, sent_at=NOW - timedelta(days=4))
    remind(till, client, 2, second)
    assert till.take(paid(first)).outcome is Outcome.SETTLED
    assert led(till, client) == {1: PAID_AT}
    told = payloads(till, client)
    assert told["DOSSIER_CREATED"]["reminder"] == 1
    assert "reminder" not in told["PAYMENT_RECEIVED"]


def test_a_session_that_the_link_has_made_counts_as_the_reminders(till: Till) -> None:
    client = till.register()
    first, by_link = opened(client), opened(client)
    remind(till, client, 1, first, by_link, sent_at=NOW - timedelta(days=4))
    remind(till, client, 2, opened(client))
    till.take(paid(by_link))
    assert list(led(till, client)) == [1]


def test_another_session_is_due_to_the_last_reminder_that_had_gone_out(till: Till) -> None:
    client = till.register()
    for number in (1, 2):
        remind(till, client, number, opened(client), sent_at=NOW - timedelta(days=9 - number))
    remind(till, client, 3, state="SKIPPED")
    remind(till, client, 4, state="CLAIMED")
    remind(till, client, 5, opened(client), sent_at=NOW + timedelta(minutes=5))
    till.take(paid(opened(client)))
    assert led(till, client) == {2: PAID_AT}
    assert payloads(till, client)["DOSSIER_CREATED"]["reminder"] == 2


def test_nothing_is_paid_before_it_was_reminded_of(till: Till) -> None:
    client, sent_at = till.register(), NOW - timedelta(minutes=1)
    session = opened(client)
    remind(till, client, 1, session, sent_at=sent_at)
    till.take(paid(session))
    assert led(till, client) == {1: sent_at}


def test_it_is_marked_once_however_often_it_is_told(till: Till) -> None:
    client = till.register()
    session = opened(client)
    remind(till, client, 1, session, sent_at=NOW - timedelta(days=4))
    till.take(paid(session))
    remind(till, client, 2, sent_at=NOW - timedelta(days=1))
    for later in (1, 2):
        till.take(paid(session), Learned.POLL, NOW + timedelta(days=later))
    till.take(given_back(paid(session)), Learned.POLL, NOW + timedelta(days=3))
    assert led(till, client) == {1: PAID_AT}


def test_what_the_application_has_settled_was_paid_through_it_as_well(till: Till) -> None:
    client = till.register()
    session = opened(client)
    remind(till, client, 1, session)
    till.app.pay(client)
    assert till.take(paid(session)).outcome is Outcome.ALREADY
    assert led(till, client) == {1: PAID_AT}
    assert payloads(till, client) == {}


def test_another_order_of_the_person_is_another_matter(till: Till) -> None:
    client = till.register()
    other = till.another_order(client)
    remind(till, other, 1, opened(other))
    till.take(paid(opened(client)))
    assert (led(till, client), led(till, other)) == ({}, {})
    assert "reminder" not in payloads(till, client)["DOSSIER_CREATED"]


@pytest.mark.parametrize(("reminded", "template"), [(True, "WELCOME_BACK"), (False, "WELCOME")])
def test_who_was_reminded_is_welcomed_back(till: Till, *, reminded: bool, template: str) -> None:
    client = till.register()
    if reminded:
        remind(till, client, 1)
    till.take(paid(opened(client)))
    fan_out = FanOut(till.sessions, RENDERER, "fr", frozenset(), POLICY, lambda: NOW, lambda: JITTER, "FR")
    fan_out.run(never)
    told = till.rows(
        "select template_code, message from notifications where user_id = :id", id=client.user_id
    )
    assert {row.template_code for row in told} == {template, "PAYMENT_RECEIVED"}
    (welcome,) = [row.message for row in told if row.template_code == template]
    assert welcome.startswith("Heureux de vous retrouver") == reminded


@pytest.mark.parametrize("said", ["1", True, None, [1]])
def test_only_a_number_is_a_reminders(till: Till, said: object) -> None:
    client = till.app.pay(till.register())
    assert client.dossier_id
    till.change("delete from fleet.outbox")
    till.app.event("DOSSIER_CREATED", "dossier", client.dossier_id, {"reminder": said})
    FanOut(till.sessions, RENDERER, "fr", frozenset(), POLICY, lambda: NOW, lambda: JITTER, "FR").run(never)
    told = till.rows("select template_code from notifications where user_id = :id", id=client.user_id)
    assert [row.template_code for row in told] == ["WELCOME"]
