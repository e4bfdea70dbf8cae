"""SendGrid's callbacks over real HTTP: checked, stored once, worked off."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import text

from services.notifications.evidence import Evidence
from tests.notifications.pipeline import email, never
from tests.workers.ingress_server import SIGNER, stored
from workers.ingress.sources import TOLERANCE_SECONDS, SendGridEvents

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller
    from workers.dev.application import Application, Client

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


def event(event_id: str, **more: object) -> dict[str, Any]:
    return {"sg_event_id": event_id, "event": "delivered", "email": "camille@example.com", **more}


def test_a_signed_batch_is_stored_once_though_it_comes_three_times(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    batch = [event("one", reason="été"), event("two")]
    assert [caller.post_events(*batch) for _ in range(3)] == [204, 204, 204]
    assert stored(sessions) == {each["sg_event_id"]: each for each in batch}


def test_a_batch_that_is_known_in_part_adds_the_rest(caller: Caller, sessions: sessionmaker[Session]) -> None:
    caller.post_events(event("one"), event("one"), event("two"))
    assert caller.post_events(event("two"), event("three")) == 204
    assert stored(sessions).keys() == {"one", "two", "three"}


def test_an_empty_batch_is_fine(caller: Caller, sessions: sessionmaker[Session]) -> None:
    assert caller.post_events() == 204
    assert stored(sessions) == {}


def test_a_retry_of_a_day_ago_is_taken_under_its_first_signature(caller: Caller) -> None:
    assert caller.post_batch(json.dumps([event("one")]).encode(), age=TOLERANCE_SECONDS - 1) == 204


def forged(body: bytes, timestamp: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()


@pytest.mark.parametrize("kind", ["forged", "other body", "unsigned", "no time", "old", "ahead", "nonsense"])
def test_what_is_not_surely_sendgrids_is_refused_and_not_stored(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock, kind: str
) -> None:
    body = json.dumps([event("one")]).encode()
    stamp = str(int(clock.now.timestamp()))
    status = {
        "forged": lambda: caller.post_batch(body, {SIGNATURE: forged(body, stamp)}),
        "other body": lambda: caller.post_batch(
            body, {SIGNATURE: SIGNER.headers(b"[]", int(stamp))[SIGNATURE]}
        ),
        "unsigned": lambda: caller.post_batch(body, {SIGNATURE: ""}),
        "no time": lambda: caller.post_batch(body, {TIMESTAMP: ""}),
        "old": lambda: caller.post_batch(body, age=TOLERANCE_SECONDS + 2),
        "ahead": lambda: caller.post_batch(body, age=-TOLERANCE_SECONDS - 2),
        "nonsense": lambda: caller.post_batch(body, {SIGNATURE: "not base64 !"}),
    }[kind]()
    assert status == 403
    assert stored(sessions) == {}


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"{}",
            b"null",
            b"[1]",
            b"[{}]",
            b'[{"sg_event_id": ""}]',
            b'[{"sg_event_id": 7}]',
            b"\xff",
        ),
        b"[" * 100_000,
        b'[{"sg_event_id": "one", "a": ' + b"[" * 900 + b"]" * 900 + b"}]",
        b'[{"sg_event_id": "one", "a": NaN}]',
        b'[{"sg_event_id": "' + b"1" * 3000 + b'"}]',
    ],
    ids=range(13),
)
def test_what_is_no_batch_of_events_is_refused(
    caller: Caller, sessions: sessionmaker[Session], body: bytes
) -> None:
    assert caller.post_batch(body) == 400
    assert stored(sessions) == {}


def test_one_bad_event_refuses_the_batch_whole(caller: Caller, sessions: sessionmaker[Session]) -> None:
    assert caller.post_events(event("one"), {"event": "open"}) == 400
    assert stored(sessions) == {}


def test_what_is_too_large_is_refused(caller: Caller, sessions: sessionmaker[Session]) -> None:
    assert caller.post_batch(b" " * (SendGridEvents.body_limit + 1)) == 413
    assert caller.post_batch(json.dumps([event("one")]).encode().ljust(SendGridEvents.body_limit)) == 204
    assert stored(sessions).keys() == {"one"}


@pytest.mark.parametrize("character", ["\0", "\ud800", "\N{PILE OF POO}"])
def test_a_character_that_no_database_holds_loses_no_event(
    caller: Caller, sessions: sessionmaker[Session], character: str
) -> None:
    assert caller.post_events(event("one", useragent=f"a{character}b")) == 204
    assert stored(sessions)["one"]["useragent"].startswith("a")


def unknown_send(app: Application, client: Client, sessions: sessionmaker[Session]) -> tuple[UUID, UUID]:
    delivery_id = email(app, client)
    with sessions.begin() as session:
        token: UUID = session.execute(
            text(
                "insert into fleet.attempts (delivery_id, number, channel, provider)"
                " values (:id, 1, 'EMAIL', 'sendgrid') returning token"
            ),
            {"id": delivery_id},
        ).scalar_one()
    return delivery_id, token


def test_what_was_posted_is_worked_off(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    delivery_id, token = unknown_send(app, client, sessions)
    caller.post_events(
        event("one", event="processed", attempt=str(token), sg_message_id="abc.recvd-1"),
        event("two", attempt=str(token), sg_message_id="abc.recvd-1"),
        event("three", attempt="no id of ours"),
        event("four"),
        event("five", attempt=["a", "list"], sg_message_id=7),
    )
    assert Evidence(sessions, clock).run(never) == 5
    assert Evidence(sessions, clock).run(never) == 0
    with sessions() as session:
        row = session.execute(
            text("select status::text, provider_message_id from notification_deliveries where id = :id"),
            {"id": delivery_id},
        ).one()
        handled = session.execute(text("select handled_as, count(*) from fleet.inbox group by 1 order by 1"))
        assert row == ("SENT", "abc")
        assert handled.all() == [("EVIDENCE", 2), ("FOREIGN", 3)]


def test_callbacks_of_a_busy_day_are_worked_off_in_one_run(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock
) -> None:
    for batch in range(5):
        caller.post_events(*(event(f"{batch}-{number}") for number in range(100)))
    assert Evidence(sessions, clock).run(never) == 500
