"""Stripe's webhook over real HTTP: whoever signs, once, and at once whatever lies in the inbox."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from sqlalchemy import text

from tests.notifications.pipeline import execute
from tests.workers.ingress_server import WEBHOOK_SECRETS, stored
from workers.ingress.source_stripe import StripeEvents

if TYPE_CHECKING:
    import urllib3
    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller

NEW, OLD = WEBHOOK_SECRETS
TOLERANCE = 300
PATH = "/webhooks/stripe"


def event(event_id: str = "evt_1", **more: object) -> dict[str, Any]:
    about = {"id": "cs_test_1", "object": "checkout.session"}
    return {
        "id": event_id,
        "object": "event",
        "type": "checkout.session.completed",
        "data": {"object": about},
    } | more


def signed(body: bytes, at: float, secret: str = NEW) -> str:
    """By the vendor's own hand."""
    stamp = int(at)
    signature = stripe.WebhookSignature._compute_signature(f"{stamp}.{body.decode()}", secret)
    return f"t={stamp},v1={signature}"


def post(caller: Caller, body: bytes, header: str) -> urllib3.BaseHTTPResponse:
    return caller.post(PATH, body, {"Content-Type": "application/json", "Stripe-Signature": header})


def test_a_signed_event_is_stored_raw_and_once_and_answered_with_an_empty_object(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock
) -> None:
    body = json.dumps(event(note="été")).encode()
    header = signed(body, clock.now.timestamp())
    answers = [post(caller, body, header) for _ in range(3)]
    assert [(answer.status, answer.json()) for answer in answers] == [(200, {})] * 3
    assert stored(sessions) == {"evt_1": event(note="été")}
    with sessions() as session:
        (row,) = session.execute(text("select provider, learned, handled_at from fleet.inbox"))
    assert tuple(row) == ("stripe", "PUSHED", None)


def test_while_a_secret_is_replaced_both_are_taken(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock
) -> None:
    now = clock.now.timestamp()
    for number, secret in enumerate((NEW, OLD)):
        body = json.dumps(event(f"evt_{number}")).encode()
        assert post(caller, body, signed(body, now, secret)).status == 200
    # Stripe itself signs with both.
    body = json.dumps(event("evt_both")).encode()
    both = signed(body, now, OLD) + "," + signed(body, now, NEW).partition(",")[2]
    assert post(caller, body, both).status == 200
    assert stored(sessions).keys() == {"evt_0", "evt_1", "evt_both"}


@pytest.mark.parametrize(
    "kind",
    ["forged", "other body", "unsigned", "no time", "cut", "cut header", "old", "ahead", "v0", "nonsense"],
)
def test_what_is_not_surely_stripes_is_answered_400_and_not_stored(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock, kind: str
) -> None:
    body, now = json.dumps(event()).encode(), clock.now.timestamp()
    good = signed(body, now)
    header = {
        "forged": signed(body, now, "whsec_made_up_by_another"),
        "other body": signed(b"{}", now),
        "unsigned": "",
        "no time": good.partition(",")[2],
        "cut": good,
        "cut header": good[:-1],
        "old": signed(body, now - TOLERANCE - 2),
        "ahead": signed(body, now + TOLERANCE + 2),
        "v0": good.replace("v1=", "v0="),
        "nonsense": "not a signature",
    }[kind]
    answer = post(caller, body[:-1] if kind == "cut" else body, header)
    assert answer.status == 400
    assert b"cs_test_1" not in answer.data
    assert stored(sessions) == {}
    assert caller.metric('fleet_callback_posts_refused_total{provider="stripe",reason="signature"}') == 1


def test_a_post_within_the_tolerance_is_taken(caller: Caller, clock: Clock) -> None:
    body = json.dumps(event()).encode()
    assert post(caller, body, signed(body, clock.now.timestamp() - TOLERANCE + 1)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b'{"id": 7}', b'{"id": "evt_"}', b'{"id": "cs_1"}'),
        b'{"id": "evt_1/../2"}',
        b'{"id": "evt_' + b"1" * 300 + b'"}',
        b"[" * 100_000,
        b'{"id": "evt_1", "a": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"id": "evt_1", "a": NaN}',
    ],
    ids=lambda body: f"{len(body)} bytes {body[:16]!r}",
)
def test_what_is_signed_and_yet_no_event_is_answered_400(
    caller: Caller, sessions: sessionmaker[Session], clock: Clock, body: bytes
) -> None:
    assert post(caller, body, signed(body, clock.now.timestamp())).status == 400
    assert stored(sessions) == {}


def test_what_is_too_large_or_no_post_is_refused(caller: Caller) -> None:
    assert post(caller, b" " * (StripeEvents.body_limit + 1), "").status == 413
    assert caller.ask(PATH).status == 405


def test_it_is_answered_at_once_with_ten_thousand_rows_in_the_inbox(
    caller: Caller, sessions: sessionmaker[Session], owner_url: str, clock: Clock
) -> None:
    execute(
        owner_url,
        "insert into fleet.inbox (provider, callback_id, body)"
        " select 'stripe', 'evt_backlog_' || n, '{}' from generate_series(1, 10000) n",
    )
    took = []
    for number in range(20):
        body = json.dumps(event(f"evt_{number}")).encode()
        header = signed(body, clock.now.timestamp())
        begun = time.perf_counter()
        assert post(caller, body, header).status == 200
        took.append(time.perf_counter() - begun)
    assert sorted(took)[10] < 0.1
    assert len(stored(sessions)) == 10_020
