"""What providers say afterwards: before our own settling, long after it, and after all hope."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db import json_rows
from db.queries import dispatch
from services.notifications.fallback import give_way
from tests.notifications.pipeline import side_by_side
from tests.notifications.told import NUMBER, Made, Told, message_id, says

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Client


@pytest.fixture
def told(
    sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock, client: Client
) -> Told:
    clock.now = clock.now.replace(microsecond=0)  # SendGrid's times are whole seconds
    return Told(sessions, application, clock, client.user_id)


def ago(told: Told, minutes: float) -> datetime:
    return told.clock.now - timedelta(minutes=minutes)


STATES = {
    ("EMAIL", "processed"): ("SENT", "SENT"),
    ("EMAIL", "deferred"): ("DEFERRED", "SENT"),
    ("EMAIL", "delivered"): ("DELIVERED", "SENT"),
    ("EMAIL", "open"): ("OPENED", "SENT"),
    ("EMAIL", "click"): ("CLICKED", "SENT"),
    ("EMAIL", "dropped"): ("FAILED", "FAILED"),
    ("EMAIL", "bounce"): ("BOUNCED", "BOUNCED"),
    ("SMS", "sent"): ("SENT", "SENT"),
    ("SMS", "delivered"): ("DELIVERED", "SENT"),
    ("SMS", "undelivered"): ("FAILED", "FAILED"),
    ("SMS", "failed"): ("FAILED", "FAILED"),
    ("SMS", "canceled"): ("FAILED", "FAILED"),
    ("WHATSAPP", "read"): ("OPENED", "SENT"),
}


def test_what_a_provider_says_is_kept_with_its_time(told: Told) -> None:
    made = {key: told.make(key[0], "ACCEPTED") for key in STATES}
    at = ago(told, 5)
    told.tell(*(says(each, event, at) for (_, event), each in made.items()))
    for key, (state, status) in STATES.items():
        receipt, delivery = told.receipt(made[key].tokens[0]), told.delivery(made[key])
        assert (receipt.state, getattr(receipt, f"{state.lower()}_at")) == (state, at), key
        assert (delivery.status, delivery.failed_at) == (status, at if status != "SENT" else None), key
    assert set(told.handled_as()) == {"RECEIPT"}


def test_what_says_nothing_of_the_messages_way_is_noted(told: Told) -> None:
    made = told.make("EMAIL", "ACCEPTED")
    before = told.standing([made])
    events = ("spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe", "new")
    told.tell(*(says(made, event, told.clock.now) for event in events))
    assert told.standing([made]) == before
    assert set(told.handled_as()) == {"NOTED"}


def test_a_failure_names_code_and_reason_without_the_address(told: Told) -> None:
    made = told.make("EMAIL", "ACCEPTED")
    reason = "550 5.1.1 <camille@example.com>: user unknown"
    told.tell(says(made, "bounce", told.clock.now, status="5.1.1", reason=reason, type="bounce"))
    delivery = told.delivery(made)
    assert delivery.provider_response == {
        "status": 202,
        "code": "5.1.1",
        "error": "550 5.1.1 [address] user unknown",
        "receipt": "BOUNCED",
    }
    assert delivery.sent_at == made.opened_at


def test_a_time_in_the_future_is_not_believed(told: Told) -> None:
    made = told.make("EMAIL", "ACCEPTED")
    said = says(made, "delivered", told.clock.now + timedelta(days=3))
    told.tell({**said, "received_at": ago(told, 1)})
    assert told.receipt(made.tokens[0]).delivered_at == ago(told, 1)


def test_a_time_that_is_none_is_when_we_heard_of_it(told: Told) -> None:
    values: tuple[object, ...] = (None, "soon", 1e300, {})
    for timestamp in values:
        made = told.make("EMAIL", "ACCEPTED")
        told.tell(says(made, "delivered", ago(told, 2), timestamp=timestamp))
        assert told.receipt(made.tokens[0]).delivered_at == ago(told, 2)


def test_what_is_of_no_attempt_of_ours_is_foreign(told: Told) -> None:
    made = told.make("SMS", "ACCEPTED")
    stranger = Made(made.delivery_id, made.notification_id, "SMS", (made.delivery_id,), made.opened_at)
    told.tell(
        says(stranger, "delivered", told.clock.now),
        {**says(made, "delivered", told.clock.now), "provider": "sendgrid"},
        {**says(made, "delivered", told.clock.now), "provider": "pigeon", "callback_id": "coo"},
        {"provider": "twilio", "callback_id": "bare", "received_at": told.clock.now, "body": {}},
    )
    assert set(told.handled_as()) == {"FOREIGN"}
    assert told.rows("select from fleet.receipts") == []


def test_without_a_token_the_messages_id_tells_whose_it_is(told: Told) -> None:
    made = told.make("SMS", "ACCEPTED")
    told.tell(says(made, "delivered", told.clock.now, attempt=""))
    assert told.receipt(made.tokens[0]).state == "DELIVERED"


def test_before_our_own_settling_it_settles_the_attempt(told: Told) -> None:
    for event in ("queued", "sent", "delivered"):
        made = told.make("SMS", None)
        assert told.queued(made)
        told.tell(says(made, event, ago(told, 1)))
        attempt, delivery = told.attempt(made.tokens[0]), told.delivery(made)
        sid = message_id(made.tokens[0])
        assert (attempt.outcome, attempt.evidence, attempt.provider_message_id) == (
            "ACCEPTED",
            "CALLBACK",
            sid,
        )
        assert (delivery.status, delivery.sent_at, delivery.provider) == ("SENT", told.clock.now, "twilio")
        assert (delivery.provider_message_id, delivery.provider_response["evidence"]) == (sid, "callback")
        assert not told.queued(made)
    assert set(told.handled_as()) == {"EVIDENCE"}


@pytest.mark.parametrize("outcome", ["ACCEPTED", None])
def test_our_own_settling_that_comes_later_undoes_nothing(told: Told, outcome: str | None) -> None:
    made = told.make("SMS", None)
    told.tell(says(made, "undelivered", ago(told, 1), ErrorCode="30005"))
    before = told.standing([made])
    settlement: dict[str, object] = {
        "delivery_id": made.delivery_id,
        "token": made.tokens[0],
        "state": "SENT" if outcome else "WAITING",
        "due_at": told.clock.now + timedelta(minutes=15),
        "tries": 1,
        "outcome": outcome,
        "provider": "twilio",
        "message_id": "SM-late" if outcome else None,
        "response": {},
    }
    with told.sessions.begin() as session:
        dispatch.settle(session, json_rows.dumps([settlement]), told.clock.now)
    assert told.standing([made]) == before
    assert told.delivery(made).provider_response["code"] == "30005"


def test_an_answer_that_said_no_is_corrected_by_proof(told: Told) -> None:
    made = told.make("SMS", "DEFERRED")
    told.tell(says(made, "delivered", told.clock.now))
    assert told.attempt(made.tokens[0]).outcome == "ACCEPTED"
    assert told.delivery(made).status == "SENT"
    assert not told.queued(made)


def test_after_all_hope_a_failure_names_its_own_reason(told: Told) -> None:
    made = told.make("SMS", "NO_EVIDENCE", status="FAILED")
    told.change(
        'update notification_deliveries set provider_response = \'{"code": "no_evidence"}\' where id = :id',
        id=made.delivery_id,
    )
    told.tell(says(made, "failed", told.clock.now, ErrorCode="30006"))
    assert told.delivery(made).status == "FAILED"
    assert told.delivery(made).provider_response["code"] == "30006"


def test_what_arrived_by_an_earlier_try_counts_whatever_became_of_the_later(told: Told) -> None:
    made = told.make("SMS", "NO_EVIDENCE", "ACCEPTED")
    told.tell(says(made, "failed", told.clock.now, ErrorCode="30003"))
    assert told.delivery(made).status == "FAILED"
    told.tell(says(made, "delivered", told.clock.now, 0))
    delivery = told.delivery(made)
    assert (delivery.status, delivery.failed_at) == ("SENT", None)
    assert delivery.provider_message_id == message_id(made.tokens[0])
    assert "code" not in delivery.provider_response
    assert told.rows("select from fleet.fallbacks") == []


def test_an_earlier_tries_failure_changes_nothing_while_a_later_one_is_under_way(told: Told) -> None:
    made = told.make("SMS", "NO_EVIDENCE", None)
    told.tell(says(made, "failed", told.clock.now, 0, ErrorCode="30003"))
    assert told.delivery(made).status == "SENT"
    told.tell(says(made, "failed", told.clock.now, ErrorCode="30003"))
    assert told.delivery(made).status == "FAILED"


def test_what_the_application_has_written_stays(told: Told) -> None:
    made = told.make("EMAIL", "ACCEPTED", status="FAILED")
    told.tell(says(made, "delivered", told.clock.now))
    assert told.delivery(made).status == "FAILED"
    assert told.receipt(made.tokens[0]).state == "DELIVERED"


def test_what_was_put_back_by_hand_is_not_taken_off_the_queue_by_an_old_message(told: Told) -> None:
    made = told.make("SMS", "ACCEPTED", status="PENDING")
    told.tell(says(made, "failed", told.clock.now, ErrorCode="30003"))
    assert told.delivery(made).status == "PENDING"
    assert told.queued(made)


def test_a_delivery_that_is_gone_keeps_its_receipts(told: Told) -> None:
    made = told.make("SMS", None)
    told.change("delete from notification_deliveries where id = :id", id=made.delivery_id)
    told.tell(says(made, "delivered", told.clock.now))
    assert told.receipt(made.tokens[0]).state == "DELIVERED"
    assert told.handled_as() == ["EVIDENCE"]


def sms_of(told: Told, made: Made) -> Any:
    return told.row(
        "select d.*, q.delivery_id is not null as queued from notification_deliveries d"
        " left join fleet.dispatch q on q.delivery_id = d.id"
        " where d.notification_id = :id and d.channel = 'SMS'",
        id=made.notification_id,
    )


def test_a_whatsapp_message_that_fails_gives_way_once(told: Told) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    told.tell(says(made, "undelivered", told.clock.now, ErrorCode="63024"))
    told.tell(says(made, "failed", told.clock.now, ErrorCode="63024"))
    sms = sms_of(told, made)
    assert (sms.status, sms.queued) == ("PENDING", True)
    assert tuple(told.row("select reason, code from fleet.fallbacks")) == ("FAILED", "63024")


@pytest.fixture
def overdue(told: Told) -> Made:
    """A WhatsApp message that gave way because it did not arrive."""
    made = told.make("WHATSAPP", "ACCEPTED")
    with told.sessions.begin() as session:
        assert give_way(session, [made.delivery_id], "NOT_DELIVERED", told.clock.now) == [made.delivery_id]
    assert sms_of(told, made).queued
    return made


def test_an_sms_that_has_not_left_is_withdrawn_when_whatsapp_delivers_after_all(
    told: Told, overdue: Made
) -> None:
    told.tell(says(overdue, "sent", told.clock.now))
    assert sms_of(told, overdue).queued
    told.tell(says(overdue, "read", told.clock.now))
    sms = sms_of(told, overdue)
    assert (sms.status, sms.queued, sms.provider_response["code"]) == ("FAILED", False, "superseded")
    assert told.delivery(overdue).status == "SENT"


def test_an_sms_that_may_be_on_its_way_is_not(told: Told, overdue: Made) -> None:
    told.change(
        "update fleet.dispatch set lease_until = :until", until=told.clock.now + timedelta(seconds=30)
    )
    told.tell(says(overdue, "delivered", told.clock.now))
    sms = sms_of(told, overdue)
    assert (sms.status, sms.queued) == ("PENDING", True)


@pytest.mark.parametrize(("sender", "channel"), [(NUMBER, "SMS"), (f"whatsapp:{NUMBER}", "WHATSAPP")])
def test_who_writes_to_us_opens_a_conversation(told: Told, sender: str, channel: str) -> None:
    for number, minutes in enumerate((5, 1, 9)):
        body = {"From": sender, "MessageSid": f"SM{number}", "Body": "Bonjour", "SmsStatus": "received"}
        told.tell(
            {
                "provider": "twilio",
                "callback_id": f"SM{number}:inbound",
                "received_at": ago(told, minutes),
                "body": body,
            }
        )
    assert tuple(told.row("select * from fleet.conversations")) == (channel, NUMBER, ago(told, 1))
    assert told.handled_as() == ["INBOUND"] * 3


def test_codes_that_no_table_lists_are_counted_where_they_are_news(told: Told) -> None:
    made = told.make("SMS", "ACCEPTED")
    other = told.make("SMS", "ACCEPTED")
    told.classify = {"twilio": lambda code, channel: (f"Rejected by {channel}", code == "30005")}
    for number in range(3):
        told.clock.forward(1)
        told.tell({**says(made, "failed", ago(told, 5), ErrorCode="39999"), "callback_id": str(number)})
    told.tell(says(other, "failed", told.clock.now, ErrorCode="30005"))
    row = told.row("select code, taken_as, seen, last_token from fleet.unseen_codes")
    assert tuple(row) == ("39999", "Rejected by SMS", 1, made.tokens[0])


def test_rows_that_another_holds_are_left_for_a_moment(told: Told) -> None:
    free, held = told.make("SMS", None), told.make("SMS", None)
    told.hear(says(free, "sent", told.clock.now), says(held, "sent", told.clock.now))
    told.clock.forward(60)
    with told.application.begin() as other:
        other.execute(text("select from fleet.attempts where token = :t for update"), {"t": held.tokens[0]})
        told.work_off()
        assert told.delivery(free).status == "SENT"
        assert told.delivery(held).status == "PENDING"
        assert sorted(told.handled_as(), key=str) == ["EVIDENCE", None]
    told.clock.forward(1)
    told.work_off()
    assert told.delivery(held).status == "SENT"
    assert told.row("select max(tries) from fleet.inbox").max == 0


def test_two_workers_at_once_lose_nothing_and_wait_for_nobody(told: Told) -> None:
    made = told.make_many(
        [("SMS", (None,)), ("WHATSAPP", ("ACCEPTED",)), ("EMAIL", ("NO_EVIDENCE", None))] * 40
    )
    events = {"SMS": ("sent", "delivered"), "WHATSAPP": ("sent", "read"), "EMAIL": ("processed", "open")}
    told.hear(
        *(
            {
                **says(each, event, told.clock.now, number),
                "callback_id": f"{copy}:{event}:{number}:{each.tokens}",
            }
            for copy in range(3)
            for each in made
            for number in range(len(each.tokens))
            for event in events[each.channel]
        )
    )

    def work() -> None:
        for _ in range(50):
            told.work_off()
            if not told.rows("select from fleet.inbox where handled_at is null limit 1"):
                return
            told.clock.forward(1)

    with side_by_side(work, work, work):
        pass
    assert told.row("select count(*) as n from fleet.inbox where handled_at is null").n == 0
    assert told.row("select max(tries) as n from fleet.inbox").n == 0
    assert {row.state for row in told.rows("select state from fleet.receipts")} == {"DELIVERED", "OPENED"}
    assert told.rows("select from fleet.attempts where outcome is distinct from 'ACCEPTED'") == []
    assert told.rows("select from fleet.dispatch") == []


def test_one_that_the_database_refuses_is_found_among_many_and_parked(told: Told) -> None:
    made = told.make_many([("SMS", (None,))] * 60)
    told.change(
        "create function public.refuse() returns trigger language plpgsql as $$ begin"
        " if new.handled_at is not null and new.callback_id = 'poison' then raise 'refused'; end if;"
        " return new; end $$"
    )
    told.change(
        "create trigger refuse before update on fleet.inbox for each row execute function public.refuse()"
    )
    told.hear(*(says(each, "sent", ago(told, 5)) for each in made[:40]))
    told.hear({**says(made[40], "sent", ago(told, 4)), "callback_id": "poison"})
    told.hear(*(says(each, "sent", ago(told, 3)) for each in made[41:]))
    try:
        for _ in range(4):
            told.work_off()
            told.clock.forward(3600)
    finally:
        told.change("drop function public.refuse cascade")
    (parked,) = told.rows("select callback_id, tries from fleet.inbox where parked_at is not null")
    assert tuple(parked) == ("poison", 4)
    assert told.row("select count(*) as n from fleet.attempts where outcome = 'ACCEPTED'").n == 59
