"""Fetching, listing, changing and deleting messages by Twilio's own SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException

from tests.sandbox.conftest import OURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio.rest import Client

    from workers.dev.sandbox.client import SandboxClient

    Send = Callable[..., Any]
    WaitFor = Callable[..., Any]

MARIE, PAUL = "+33639981111", "+33639982222"


def states(sandbox: SandboxClient) -> set[str]:
    return {message.status for message in sandbox.phone_messages()}


def test_a_fetched_message_is_delivered_and_then_priced(
    sandbox: SandboxClient, twilio: Client, send: Send, wait_for: WaitFor
) -> None:
    sandbox.change(price_delay=600.0)
    sid = send(MARIE, "Bonjour " * 30).sid
    wait_for(lambda: states(sandbox) == {"delivered"})
    message = twilio.messages(sid).fetch()
    assert (message.status, message.error_code, message.price) == ("delivered", None, None)
    assert message.date_sent is not None

    sandbox.change(price_delay=0.0)
    message = twilio.messages(sid).fetch()
    assert (message.price, message.price_unit, message.num_segments) == ("-0.1596", "USD", "2")


def test_a_list_is_filtered_by_address_and_by_day(
    sandbox: SandboxClient, twilio: Client, send: Send, wait_for: WaitFor
) -> None:
    first, second = send(MARIE).sid, send(MARIE).sid
    by_whatsapp = send(MARIE, whatsapp=True).sid
    paul = send(PAUL).sid
    wait_for(lambda: states(sandbox) == {"delivered", "read"})
    today = datetime.now(UTC).date()

    def found(**filters: Any) -> list[str | None]:
        return [message.sid for message in twilio.messages.list(**filters)]

    assert found() == [paul, by_whatsapp, second, first]
    assert found(to=MARIE) == [second, first]
    assert found(to=f"whatsapp:{MARIE}") == [by_whatsapp]
    assert found(to=PAUL, from_=OURS) == [paul]
    assert found(to=PAUL, from_="+33639980099") == []
    assert found(to=MARIE, date_sent=today) == [second, first]
    assert found(to=MARIE, date_sent=today - timedelta(days=1)) == []
    assert found(to=PAUL, date_sent_after=datetime.now(UTC) - timedelta(minutes=1)) == [paul]
    assert found(to=PAUL, date_sent_before=datetime.now(UTC) - timedelta(minutes=1)) == []


def test_a_list_comes_in_pages_that_new_messages_do_not_shift(twilio: Client, send: Send) -> None:
    sids = [send(MARIE).sid for _ in range(7)]
    page = twilio.messages.page(to=MARIE, page_size=3)
    shown = [message.sid for message in page]
    send(MARIE)
    while (page := page.next_page()) is not None:
        shown += [message.sid for message in page]
    assert shown == sids[::-1]
    assert len(twilio.messages.list(to=MARIE, page_size=2)) == 8
    assert len(twilio.messages.list(to=MARIE, limit=5, page_size=5)) == 5
    with pytest.raises(TwilioException, match="DateSent"):
        twilio.messages.list(date_sent="yesterday")


def test_a_message_that_has_not_left_is_found_by_no_day(
    sandbox: SandboxClient, twilio: Client, send: Send
) -> None:
    sandbox.behave(MARIE, "late", seconds=600)
    sid = send(MARIE).sid
    assert [message.sid for message in twilio.messages.list(to=MARIE)] == [sid]
    assert twilio.messages.list(to=MARIE, date_sent=datetime.now(UTC).date()) == []


def test_what_has_not_left_can_be_canceled_and_what_has_can_be_emptied(
    sandbox: SandboxClient, twilio: Client, send: Send, wait_for: WaitFor
) -> None:
    sandbox.behave(MARIE, "late", seconds=600)
    waiting = twilio.messages(send(MARIE).sid)
    for forbidden in (waiting.delete, lambda: waiting.update(body="")):
        with pytest.raises(TwilioRestException) as refusal:
            forbidden()
        assert (refusal.value.status, refusal.value.code) == (409, 20009)
    assert waiting.update(status="canceled").status == "canceled"

    sent = twilio.messages(send(PAUL).sid)
    wait_for(lambda: sandbox.phone_messages(number=PAUL)[0].status == "delivered")
    with pytest.raises(TwilioRestException) as refusal:
        sent.update(status="canceled")
    assert refusal.value.code == 30409
    with pytest.raises(TwilioRestException):
        sent.update(body="Autre chose")
    assert sent.update(body="").body == ""
    assert sent.delete()
    with pytest.raises(TwilioRestException) as refusal:
        sent.fetch()
    assert (refusal.value.status, refusal.value.code) == (404, 20404)
    assert sandbox.phone_messages(number=PAUL) == []
