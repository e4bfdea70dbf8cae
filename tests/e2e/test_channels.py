"""WhatsApp, SMS and e-mail to their last word: real processes, and a sandbox that is asked and calls back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from uuid import UUID

    from tests.e2e.conftest import Fleet
    from workers.dev.application import Client

pytestmark = pytest.mark.e2e


def _person(fleet: Fleet, ending: str, *, email: str | None = None) -> tuple[Client, str]:
    phone = f"+3363998{ending}"
    email = email or f"client-{ending}@example.com"
    return fleet.application.register(email, "Camille Exemple", phone=phone), phone


def _tell(fleet: Fleet, client: Client) -> UUID:
    """An event that is told by e-mail and on the phone."""
    return fleet.application.event("PAYMENT_FAILED", "order", client.order_id)


def _sms(fleet: Fleet, client: Client, phone: str) -> str:
    notification = fleet.application.notify(client, "Rendez-vous", "À mardi.")
    return str(fleet.application.deliver(notification, "SMS", phone))


def _receipt(fleet: Fleet, delivery_id: object) -> tuple[Any, ...]:
    rows = fleet.sql(
        "select r.state, r.code, a.evidence, a.price is not null from fleet.receipts r"
        " join fleet.attempts a using (token) where a.delivery_id = %s",
        delivery_id,
    )
    return tuple(rows[0]) if rows else ()


def _state(fleet: Fleet, delivery_id: object) -> tuple[str, str | None]:
    found: tuple[str, str | None] = fleet.one(
        "select status::text, provider_response ->> 'code' from notification_deliveries where id = %s",
        delivery_id,
    )
    return found


def _story(fleet: Fleet, some_id: object) -> dict[str, str]:
    """What `fleet explain` tells, by what it is about."""
    moments = json.loads(fleet.fleet("explain", str(some_id), "--json"))
    return {
        what: "; ".join(m["told"] for m in moments if m["what"] == what)
        for what in {m["what"] for m in moments}
    }


def _fallbacks(fleet: Fleet, event: UUID) -> list[tuple[str, str, str]]:
    return fleet.sql(
        "select f.from_channel, f.to_channel, f.reason from fleet.fallbacks f"
        " join notifications n on n.id = f.notification_id where n.event_id = %s",
        event,
    )


def _on_the_phone(fleet: Fleet, phone: str) -> list[str]:
    return [message.channel for message in fleet.sandbox.phone_messages(number=phone, inbound=False)]


def _ask_now(fleet: Fleet) -> None:
    """Have the open questions put now instead of later."""
    fleet.sql("update fleet.lookups set due_at = now() where lease_until is null")


def test_a_whatsapp_message_is_accepted_delivered_and_read(fleet: Fleet) -> None:
    client, phone = _person(fleet, "0101")
    event = _tell(fleet, client)
    delivery = fleet.delivery(event, "WHATSAPP")
    fleet.wait(lambda: _receipt(fleet, delivery["id"])[:1] == ("OPENED",), "the reading")
    fleet.wait_settled()
    delivery = fleet.delivery(event, "WHATSAPP")
    (message,) = fleet.sandbox.phone_messages(number=phone)
    assert (message.channel, message.sid) == ("whatsapp", delivery["provider_message_id"])
    assert (delivery["status"], delivery["provider"], delivery["recipient"]) == ("SENT", "twilio", phone)
    assert "paiement" in message.body
    assert fleet.accepted(client.email) == 1
    assert fleet.delivery(event)["status"] == "SENT"
    story = _story(fleet, delivery["id"])
    assert {"attempt", "callback", "receipt"} <= set(story)
    assert phone not in str(story)


def test_whatsapp_refused_at_once_gives_way_to_sms_and_is_not_asked_again(fleet: Fleet) -> None:
    client, phone = _person(fleet, "9903")
    first = _tell(fleet, client)
    sms = fleet.delivery(first, "SMS")
    fleet.wait(lambda: _receipt(fleet, sms["id"])[:1] == ("DELIVERED",), "the SMS")
    assert _state(fleet, fleet.delivery(first, "WHATSAPP")["id"]) == ("FAILED", "63003")
    assert _fallbacks(fleet, first) == [("WHATSAPP", "SMS", "REFUSED")]
    second = _tell(fleet, client)
    sms = fleet.delivery(second, "SMS")
    fleet.wait_settled()
    assert _state(fleet, sms["id"]) == ("SENT", None)
    assert _fallbacks(fleet, second) == [("WHATSAPP", "SMS", "HAS_NONE")]
    assert _on_the_phone(fleet, phone) == ["sms", "sms"]


def test_whatsapp_that_fails_later_gives_way_to_sms(fleet: Fleet) -> None:
    client, phone = _person(fleet, "9924")
    event = _tell(fleet, client)
    sms = fleet.delivery(event, "SMS")
    fleet.wait(lambda: _receipt(fleet, sms["id"])[:1] == ("DELIVERED",), "the SMS")
    fleet.wait_settled()
    whatsapp = fleet.delivery(event, "WHATSAPP")
    assert (whatsapp["status"], whatsapp["provider_response"]["code"]) == ("FAILED", "63024")
    assert whatsapp["failed_at"] is not None
    assert _fallbacks(fleet, event) == [("WHATSAPP", "SMS", "FAILED")]
    assert _on_the_phone(fleet, phone) == ["whatsapp", "sms"]
    assert "63024" in _story(fleet, event)["fallback"]


def test_whatsapp_that_is_not_delivered_in_time_gives_way_to_sms(fleet: Fleet) -> None:
    client, phone = _person(fleet, "9953")
    event = _tell(fleet, client)
    delivery = fleet.delivery(event, "WHATSAPP")
    fleet.wait(lambda: _receipt(fleet, delivery["id"])[:1] == ("SENT",), "its way out")
    assert _on_the_phone(fleet, phone) == ["whatsapp"]
    fleet.sql(
        "update fleet.attempts set opened_at = opened_at - interval '1 hour' where delivery_id = %s",
        delivery["id"],
    )
    _ask_now(fleet)
    sms = fleet.delivery(event, "SMS")
    fleet.wait(lambda: _receipt(fleet, sms["id"])[:1] == ("DELIVERED",), "the SMS")
    assert _fallbacks(fleet, event) == [("WHATSAPP", "SMS", "NOT_DELIVERED")]
    assert _state(fleet, delivery["id"]) == ("SENT", None)


def test_a_lost_callback_is_made_up_for_by_asking(fleet: Fleet) -> None:
    client, phone = _person(fleet, "9951")
    delivery = _sms(fleet, client, phone)
    fleet.wait(lambda: _receipt(fleet, delivery) == ("DELIVERED", None, "ANSWER", True), "fate and price")
    assert fleet.sql("select 1 from fleet.inbox where body ->> 'To' = %s", phone) == []


def test_an_answer_lost_after_the_acceptance_is_found_in_the_list(fleet: Fleet) -> None:
    client, phone = _person(fleet, "9951")
    fleet.sandbox.fault("drop_after", to=phone)
    delivery = _sms(fleet, client, phone)
    fleet.wait(lambda: fleet.sql("select 1 from fleet.lookups where kind = 'SEARCH'"), "the question")
    assert _state(fleet, delivery) == ("PENDING", None)
    _ask_now(fleet)
    fleet.wait_settled()
    (message,) = fleet.sandbox.phone_messages(number=phone)
    status, message_id = fleet.one(
        "select status::text, provider_message_id from notification_deliveries where id = %s", delivery
    )
    assert (status, message_id) == ("SENT", message.sid)
    assert fleet.attempts(delivery) == [("ACCEPTED", "LOOKUP", "broken_answer")]
    assert "found when the provider was asked" in _story(fleet, delivery)["attempt"]


def test_an_email_that_comes_back_says_why(fleet: Fleet) -> None:
    client, _ = _person(fleet, "0102", email="camille+bounce@example.com")
    event = _tell(fleet, client)
    delivery = fleet.delivery(event)
    fleet.wait(lambda: _state(fleet, delivery["id"])[0] == "BOUNCED", "the bounce")
    delivery = fleet.delivery(event)
    assert delivery["failed_at"] is not None
    assert {"code", "error"} <= set(delivery["provider_response"])


def test_push_has_no_provider(fleet: Fleet) -> None:
    client, _ = _person(fleet, "0103")
    notification = fleet.application.notify(client, "Rendez-vous", "À mardi.")
    delivery = fleet.application.deliver(notification, "PUSH", "device-1")
    fleet.wait_settled()
    assert _state(fleet, delivery) == ("FAILED", "no_provider")


def test_stop_on_a_phone_silences_it_until_start(fleet: Fleet) -> None:
    client, phone = _person(fleet, "0104")
    _sms(fleet, client, phone)
    fleet.wait(lambda: _on_the_phone(fleet, phone) == ["sms"], "the first message")
    fleet.sandbox.reply(phone, "Arrêt.")
    stopped = "select 1 from fleet.suppressions where address = %s and lifted_at is null"
    fleet.wait(lambda: len(fleet.sql(stopped, phone)) == 2, "the suppression of both channels")
    event, sms = _tell(fleet, client), _sms(fleet, client, phone)
    whatsapp = fleet.delivery(event, "WHATSAPP")["id"]
    fleet.wait_settled()
    assert [_state(fleet, each) for each in (whatsapp, sms)] == [("FAILED", "suppressed")] * 2
    assert "asked this number to be left alone" in _story(fleet, sms)["end"]
    assert _on_the_phone(fleet, phone) == ["sms"]
    assert _fallbacks(fleet, event) == []

    fleet.sandbox.reply(phone, "START")
    fleet.wait(lambda: not fleet.sql(stopped, phone), "the end of it")
    assert _sms(fleet, client, phone)
    fleet.wait(lambda: _on_the_phone(fleet, phone) == ["sms", "sms"], "a message after it")
