"""Forged callbacks among genuine ones, over real HTTP: refused, not stored, without any effect."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.notifications.told import Told, message_id
from tests.workers.ingress_server import FORM, SIGNER, serving, signature

if TYPE_CHECKING:
    from threading import Thread
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller
    from workers.dev.application import Client


@pytest.fixture
def told(
    sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock, client: Client
) -> Told:
    return Told(sessions, application, clock, client.user_id)


def test_of_the_forged_none_is_stored(told: Told) -> None:
    forged_among_genuine(told, messages=40, forged=30)


def forged_among_genuine(told: Told, messages: int, forged: int) -> None:
    """Post a genuine word of the delivery of each message, and forged words of the failure of some."""
    chance = random.Random(forged)  # noqa: S311 - any order does
    made = told.make_many([("SMS", (None,)), ("EMAIL", (None,))] * (messages // 2))
    posts = [(each, True) for each in made] + [(chance.choice(made), False) for _ in range(forged)]
    chance.shuffle(posts)
    leaving: list[Thread] = []
    with serving(told.sessions, told.clock, leaving) as caller:
        answers = {
            (genuine, _post(caller, each.channel, each.tokens[0], genuine=genuine)) for each, genuine in posts
        }
    for thread in leaving:
        thread.join()
    assert answers == {(True, 204), (False, 403)}
    assert told.row("select count(*) as n from fleet.inbox").n == messages
    told.work_off()
    assert {
        (row.state, row.n) for row in told.rows("select state, count(*) as n from fleet.receipts group by 1")
    } == {("DELIVERED", messages)}


def _post(caller: Caller, channel: str, token: UUID, *, genuine: bool) -> int:
    if channel == "SMS":
        path = f"/webhooks/twilio/status?attempt={token}"
        form = {"MessageSid": message_id(token), "MessageStatus": "delivered" if genuine else "failed"}
        if genuine:
            return caller.post_form(path, form).status
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(path, form, token="another")}
        return caller.post(path, urlencode(form).encode(), headers).status
    event = {
        "sg_event_id": f"{token}{genuine}",
        "event": "delivered" if genuine else "bounce",
        "attempt": str(token),
        "sg_message_id": f"{message_id(token)}.recvd",
    }
    stamp = int(caller.clock.now.timestamp())
    headers = {} if genuine else SIGNER.headers(b"[]", stamp)
    return caller.post_batch(json.dumps([event]).encode(), headers)
