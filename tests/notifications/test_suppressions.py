"""Addresses that are not to be written to: who said so, in whatever order it is heard."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from db.queries import suppressions
from db.queries.suppressions import Wish
from providers.codes import CodeTable
from providers.errors import Suppressed
from services.notifications.carriers import PhoneCarrier
from services.notifications.stops import meant
from tests.notifications.desk import Desk
from tests.notifications.pipeline import APP_URL, RENDERER, never, side_by_side
from tests.notifications.told import NUMBER, Told, says

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client

ADDRESS = "Camille@Example.com"


def classify(code: str, channel: str) -> tuple[str, bool]:
    verdict = CodeTable("twilio").kind(code, channel)
    return verdict.kind.value, verdict.known


@pytest.fixture
def told(
    sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock, client: Client
) -> Told:
    clock.now = clock.now.replace(microsecond=0)  # SendGrid's times are whole seconds
    return Told(sessions, application, clock, client.user_id, {"twilio": classify})


def in_force(told: Told) -> set[tuple[str, str, str]]:
    rows = told.rows("select channel, address, reason from fleet.suppressions where lifted_at is null")
    return {tuple(row) for row in rows}


def writes(told: Told, body: str, minutes_ago: float, number: str = NUMBER) -> dict[str, object]:
    at = told.clock.now - timedelta(minutes=minutes_ago)
    return {
        "provider": "twilio",
        "callback_id": f"SM{body}{minutes_ago}{number}:inbound",
        "received_at": at,
        "body": {"From": number, "MessageSid": "SM1", "Body": body},
    }


def event(told: Told, name: str, minutes_ago: float, **more: Any) -> dict[str, object]:
    made = told.make("EMAIL", "ACCEPTED", recipient=ADDRESS)
    return says(made, name, told.clock.now - timedelta(minutes=minutes_ago), email=ADDRESS, **more)


STOPPED = {("SMS", NUMBER, "STOP"), ("WHATSAPP", NUMBER, "STOP")}


@pytest.mark.parametrize(
    ("body", "means"),
    [
        *(
            (word, True)
            for word in ("STOP", "stop", " Stop. ", "ARRET", "arrêt", "ARRE\u0302T", "Unsubscribe")
        ),
        *((word, True) for word in ("CANCEL", "end", "QUIT", "stopall", "STOP\n")),
        *((word, False) for word in ("START", "start.", "Unstop", "OUI", "yes")),
        *(
            (word, None)
            for word in ("", "Stop it", "STOP START", "non", "ne vous arrêtez pas", "👍", "STO P")
        ),
    ],
)
def test_only_a_whole_message_is_a_word(body: str, means: object) -> None:
    assert meant({"Body": body}) is means


def test_what_the_senders_own_service_has_read_counts() -> None:
    assert meant({"Body": "Bitte nicht mehr", "OptOutType": "STOP"}) is True
    assert meant({"Body": "STOP", "OptOutType": "HELP"}) is None


@pytest.mark.parametrize("number", [NUMBER, f"whatsapp:{NUMBER}"])
def test_stop_suppresses_the_number_everywhere_and_start_lifts_it(told: Told, number: str) -> None:
    told.tell(writes(told, "ARRÊT", 9, number))
    assert in_force(told) == STOPPED
    told.tell(writes(told, "Bonjour", 8, number))
    assert in_force(told) == STOPPED
    told.tell(writes(told, "START", 7, number))
    assert in_force(told) == set()
    lifted = told.rows("select lifted_by, lifted_why from fleet.suppressions")
    assert {tuple(row) for row in lifted} == {("twilio", "taken back by the person")}
    assert set(told.handled_as()) == {"INBOUND"}


@pytest.mark.parametrize("order", list(permutations([("STOP", 9), ("START", 8), ("STOP", 7)])))
def test_what_was_said_last_holds_however_it_is_heard(told: Told, order: tuple[tuple[str, int], ...]) -> None:
    for body, minutes in order:
        told.tell(writes(told, body, minutes))
    assert in_force(told) == STOPPED


@pytest.mark.parametrize("order", list(permutations([("START", 9), ("STOP", 8), ("START", 7)])))
def test_so_does_what_was_taken_back(told: Told, order: tuple[tuple[str, int], ...]) -> None:
    for body, minutes in order:
        told.tell(writes(told, body, minutes))
    assert in_force(told) == set()


def test_the_same_again_changes_nothing(told: Told) -> None:
    stop, start = writes(told, "STOP", 9), writes(told, "START", 8)
    told.tell(stop, start)
    before = told.rows("select * from fleet.suppressions order by id")
    told.tell(
        *({**each, "callback_id": f"{number}:inbound"} for number, each in enumerate([start, stop, stop]))
    )
    assert told.rows("select * from fleet.suppressions order by id") == before


def test_start_lifts_nothing_but_a_stop(told: Told) -> None:
    with told.sessions.begin() as session:
        by_hand = Wish("SMS", NUMBER, "BY_HAND", "dominique", told.clock.now - timedelta(hours=1))
        suppressions.heed(session, [by_hand])
    told.tell(writes(told, "STOP", 9))
    told.tell(writes(told, "START", 8))
    assert in_force(told) == {("SMS", NUMBER, "BY_HAND")}


@pytest.mark.parametrize(
    ("name", "more", "reason"),
    [
        ("bounce", {"type": "bounce"}, "HARD_BOUNCE"),
        ("bounce", {"type": "blocked"}, None),
        ("spamreport", {}, "COMPLAINT"),
        ("unsubscribe", {}, "UNSUBSCRIBE"),
        ("group_unsubscribe", {}, "UNSUBSCRIBE"),
        ("group_resubscribe", {}, None),
        ("dropped", {"reason": "Bounced Address"}, "HARD_BOUNCE"),
        ("dropped", {"reason": "Spam Content"}, None),
        ("delivered", {}, None),
    ],
)
def test_what_sendgrid_tells_of_an_address(
    told: Told, name: str, more: dict[str, object], reason: str | None
) -> None:
    told.tell(event(told, name, 5, **more))
    assert in_force(told) == ({("EMAIL", ADDRESS.lower(), reason)} if reason else set())
    if reason:
        (row,) = told.rows("select since, source from fleet.suppressions")
        assert (row.since, row.source) == (told.clock.now - timedelta(minutes=5), "sendgrid")


@pytest.mark.parametrize("first", ["group_unsubscribe", "group_resubscribe"])
def test_a_resubscription_lifts_an_earlier_unsubscription(told: Told, first: str) -> None:
    no, yes = event(told, "group_unsubscribe", 5), event(told, "group_resubscribe", 4)
    for each in (no, yes) if first == "group_unsubscribe" else (yes, no):
        told.tell(each)
    assert in_force(told) == set()


def test_an_address_without_a_name_or_a_number_is_passed_over(told: Told) -> None:
    told.tell({**event(told, "bounce", 5, type="bounce"), "body": {"event": "bounce", "type": "bounce"}})
    told.tell(writes(told, "STOP", 5, ""))
    assert in_force(told) == set()


@pytest.mark.parametrize(("channel", "code"), [("SMS", "21610"), ("WHATSAPP", "63014")])
def test_a_callback_that_the_person_has_said_stop_suppresses_the_number(
    told: Told, channel: str, code: str
) -> None:
    made = told.make(channel, "ACCEPTED")
    told.tell(says(made, "undelivered", told.clock.now, ErrorCode=code))
    assert in_force(told) == STOPPED
    assert told.rows("select from notification_deliveries where channel = 'SMS' and status = 'PENDING'") == []


def test_a_callback_about_a_message_from_before_a_start_does_not(told: Told) -> None:
    made = told.make("SMS", "ACCEPTED")  # sent now
    told.clock.forward(600)
    told.tell(writes(told, "START", 5))
    told.tell(says(made, "undelivered", told.clock.now, ErrorCode="21610"))
    assert in_force(told) == set()


def test_a_refusal_at_the_send_suppresses_what_comes_after(
    pipeline: Pipeline, app: Application, client: Client
) -> None:
    desk = Desk(Suppressed("21610", "the person has said stop"))
    carrier = PhoneCarrier(desk, RENDERER, "fr", APP_URL, "FR")
    drain = replace(pipeline.drain(carrier), channel="SMS")
    first = app.deliver(app.notify(client, "Bonjour", "À demain."), "SMS", "06 39 98 00 01")
    pipeline.clock.forward(60)
    drain.run(never)
    desk.error = None
    second = app.deliver(app.notify(client, "Bonjour", "À demain."), "SMS", NUMBER)
    pipeline.clock.forward(60)
    drain.run(never)
    codes = [(pipeline.delivery(each).provider_response or {})["code"] for each in (first, second)]
    assert (codes, desk.taken) == (["21610", "suppressed"], [])


def test_two_workers_who_hear_of_one_number_wait_for_each_other(told: Told) -> None:
    def say(*bodies: str) -> None:
        told.hear(*(writes(told, body, minutes) for minutes, body in enumerate(bodies, 1)))

    say(*["STOP", "START"] * 40)
    with side_by_side(told.work_off, told.work_off, told.work_off):
        pass
    told.work_off()
    assert in_force(told) == STOPPED
    assert told.rows("select from fleet.inbox where handled_at is null or tries > 0") == []


def test_what_an_operator_has_lifted_stays_lifted_until_it_is_said_again(told: Told) -> None:
    bounce = event(told, "bounce", 5, type="bounce")
    told.tell(bounce)
    with told.sessions.begin() as session:
        (found,) = suppressions.find(session)
        assert suppressions.lift(session, [found.id], "dominique", "mended", told.clock.now) == [found.id]
    told.tell({**bounce, "callback_id": "again"})
    assert in_force(told) == set()
    told.clock.forward(60)
    told.tell(event(told, "bounce", 0, type="bounce"))
    assert len(in_force(told)) == 1
