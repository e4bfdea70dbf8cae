"""From the application's SQL to an accepted e-mail, by real processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Fleet

pytestmark = pytest.mark.e2e


def test_an_approved_document_leads_to_one_accepted_email(fleet: Fleet) -> None:
    client = fleet.client()
    document = fleet.application.upload(client, "PASSPORT")
    event = fleet.application.review(document, "APPROVED")
    fleet.wait(lambda: fleet.accepted(client.email) == 2, "received and approved")
    fleet.wait_settled()

    delivery = fleet.delivery(event)
    sent = [m for m in fleet.messages(client.email) if m.id == delivery["provider_message_id"]]
    assert len(sent) == 1
    assert (delivery["status"], delivery["provider"], delivery["recipient"]) == (
        "SENT",
        "sendgrid",
        client.email,
    )
    assert delivery["sent_at"] is not None
    assert delivery["failed_at"] is None
    assert delivery["provider_response"] == {"status": 202}
    detail = fleet.sandbox.message(sent[0].id)
    assert "Passeport" in detail.subject
    assert "Bonjour Camille Exemple" in detail.text
    assert f"/dossiers/{client.dossier_id}" in detail.text
    assert "APPROVED" not in detail.html + detail.text
    in_app = fleet.delivery(event, "IN_APP")
    assert (in_app["status"], in_app["provider"]) == ("SENT", "in_app")

    story = fleet.fleet("explain", str(event))
    for told in (
        "DOCUMENT_REVIEWED",
        "NOTIFIED",
        "DOCUMENT_APPROVED",
        "accepted",
        delivery["provider_message_id"],
    ):
        assert told in story
    by_delivery = json.loads(fleet.fleet("explain", delivery["id"], "--json"))
    known = {"event", "fan-out", "notification", "delivery", "attempt", "callback", "receipt", "end"}
    assert known >= {m["what"] for m in by_delivery}
    assert by_delivery[0]["what"] == "event"
    assert client.email not in story


def test_a_rejected_document_gives_its_reason_escaped(fleet: Fleet) -> None:
    client = fleet.client()
    document = fleet.application.upload(client, "PROOF_ADDRESS")
    event = fleet.application.review(document, "REJECTED", '<b>Page 2</b> "manque" & coupée')
    fleet.wait(lambda: fleet.accepted(client.email) == 2, "received and rejected")
    fleet.wait_settled()
    detail = fleet.sandbox.message(fleet.delivery(event)["provider_message_id"])
    assert "&lt;b&gt;Page 2&lt;/b&gt;" in detail.html
    assert "<b>Page 2</b>" not in detail.html
    assert '<b>Page 2</b> "manque" & coupée' in detail.text


def test_what_the_application_inserts_itself_is_sent_once(fleet: Fleet) -> None:
    client = fleet.client()
    application = fleet.application
    with_delivery = application.notify(client, "Rendez-vous", "À mardi.")
    first = application.deliver(with_delivery, "EMAIL", client.email)
    second = application.deliver(with_delivery, "EMAIL", client.email)
    without = application.notify(client, "Documents prêts", "Vos statuts sont là.")
    fleet.wait(lambda: fleet.accepted(client.email) == 2, "both notifications")
    fleet.wait_settled()
    assert sorted(m.subject for m in fleet.messages(client.email)) == ["Documents prêts", "Rendez-vous"]
    states = dict(fleet.sql("select id::text, status::text from notification_deliveries"))
    assert (states[str(first)], states[str(second)]) == ("SENT", "FAILED")
    assert "duplicate_delivery" in fleet.fleet("explain", str(second))
    channels = fleet.sql(
        "select channel::text from notification_deliveries where notification_id = %s", without
    )
    assert sorted(channels) == [("EMAIL",), ("IN_APP",)]


def test_a_trigger_of_the_applications_own_makes_no_second_email(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sql("""
        create function app_adds_email() returns trigger language plpgsql as $$
        begin
          insert into notification_deliveries (notification_id, channel, recipient)
          select new.id, 'EMAIL', u.email from auth.users u where u.id = new.user_id;
          return null;
        end $$;
        create trigger app_adds_email after insert on notifications
          for each row execute function app_adds_email();
    """)
    event = fleet.application.write_message(client, "Bonjour")
    own = fleet.application.notify(client, "De l'application", "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 2, "one e-mail each")
    fleet.wait_settled()
    counts = fleet.sql(
        "select n.id = %s, count(*) from notifications n"
        " join notification_deliveries d on d.notification_id = n.id where d.channel = 'EMAIL'"
        " and (n.event_id = %s or n.id = %s) group by 1 order by 1",
        own,
        event,
        own,
    )
    fleet.sql("drop function app_adds_email cascade")
    assert counts == [(False, 1), (True, 1)]
    assert fleet.accepted(client.email) == 2


def test_an_event_that_the_application_announces_itself_is_announced_once(fleet: Fleet) -> None:
    client = fleet.client()
    event = fleet.application.event("PAYMENT_FAILED", "order", client.order_id)
    # The application writes its own a moment later, when the fleet has long reacted.
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the fleet's own")
    own = fleet.application.notify(client, "Paiement refusé", "Votre banque a refusé.", event_id=event)
    late = fleet.application.deliver(own, "EMAIL", client.email)
    fleet.wait_settled()
    assert fleet.accepted(client.email) == 1
    assert "duplicate_notification" in fleet.fleet("explain", str(late))


def test_a_type_of_event_from_the_future_is_passed_over(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sql("alter type event_type add value 'REFERRAL_MADE'")
    unknown = fleet.application.event("REFERRAL_MADE", "dossier", client.dossier_id or client.user_id)
    known = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the known one")
    fleet.wait_settled()
    assert fleet.delivery(known)["status"] == "SENT"
    assert "unknown event type REFERRAL_MADE" in fleet.fleet("explain", str(unknown))


def test_by_hand(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.kill_worker()
    notification = fleet.application.notify(client, "À la main", "Maintenant.")
    delivery = fleet.application.deliver(notification, "EMAIL", client.email)
    assert fleet.status()["workers"] == []
    waiting = {queue["queue"]: queue["due"] for queue in fleet.status()["queues"]}
    assert waiting["email"] == 1
    assert "sent by sendgrid" in fleet.fleet("deliver", str(delivery))
    assert fleet.accepted(client.email) == 1
    fleet.fleet("deliver", str(delivery), code=1)
    fleet.fleet("deliver", "not-an-id", code=2)
    fleet.fleet("explain", str(client.user_id), code=1)
