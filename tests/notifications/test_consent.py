"""What people have said, read at the moment of sending."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from db import json_rows
from db.queries import dispatch, preferences
from db.queries.suppressions import Wish, heed
from services.notifications.carriers import PhoneCarrier
from services.notifications.consent import Consent
from services.notifications.quiet import Quiet
from tests.notifications.desk import Desk
from tests.notifications.pipeline import APP_URL, RENDERER, never

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client

NUMBER = "+33639980001"
PARIS = ZoneInfo("Europe/Paris")


@dataclass
class Office:
    """Sends on all three channels that a person has a say in, and knows what has left."""

    pipeline: Pipeline
    app: Application
    client: Client
    consent: Consent = field(default_factory=Consent)
    desk: Desk = field(default_factory=Desk)

    def notify(
        self, template: str = "STATUS_CHANGED", *channels: str, number: str = NUMBER
    ) -> dict[str, UUID]:
        """A notification with deliveries on these channels."""
        notification_id = self.app.notify(self.client, "Bonjour", "Votre conseiller vous attend.")
        self.pipeline.change(
            "update notifications set template_code = :code where id = :id", code=template, id=notification_id
        )
        to = {"EMAIL": "Camille@Example.com"}
        return {each: self.app.deliver(notification_id, each, to.get(each, number)) for each in channels}

    def says(self, **said: object) -> None:
        with self.pipeline.sessions.begin() as session:
            held = preferences.lock(session, self.client.user_id)
            preferences.change(session, held, said, self.pipeline.clock())

    def send(self, channel: str = "SMS") -> int:
        carrier = PhoneCarrier(self.desk, RENDERER, "fr", APP_URL, "FR")
        drain = replace(self.pipeline.drain(), channel=channel, consent=self.consent)
        if channel != "EMAIL":
            drain = replace(drain, carrier=carrier)
        return drain.run(never)

    def end(self, delivery_id: UUID) -> tuple[str, str | None]:
        found = self.pipeline.delivery(delivery_id)
        return found.status, (found.provider_response or {}).get("code")

    def due(self, delivery_id: UUID) -> Any:
        return self.pipeline.queued(delivery_id)


@pytest.fixture
def office(pipeline: Pipeline, app: Application, client: Client) -> Office:
    pipeline.clock.forward(600)
    return Office(pipeline, app, client)


def suppress(office: Office, channel: str, address: str, reason: str = "STOP") -> None:
    with office.pipeline.sessions.begin() as session:
        heed(session, [Wish(channel, address, reason, "twilio", office.pipeline.clock())])


def test_who_has_said_nothing_gets_everything(office: Office) -> None:
    made = office.notify("STATUS_CHANGED", "EMAIL", "SMS")
    assert office.send("EMAIL") + office.send("SMS") == 2
    assert {office.end(each)[0] for each in made.values()} == {"SENT"}


@pytest.mark.parametrize("number", [NUMBER, "06 39 98 00 01", "whatsapp:+33639980001"])
def test_a_suppressed_address_is_not_written_to_however_it_is_written(office: Office, number: str) -> None:
    suppress(office, "SMS", NUMBER)
    suppress(office, "EMAIL", "camille@example.com", "HARD_BOUNCE")
    made = office.notify("PAYMENT_RECEIVED", "EMAIL", "SMS", number=number)
    office.send("EMAIL")
    office.send("SMS")
    assert {office.end(each) for each in made.values()} == {("FAILED", "suppressed")}
    told = str(office.pipeline.delivery(made["SMS"]).provider_response)
    assert "asked this number to be left alone (STOP, since " in told
    assert NUMBER not in told
    assert (office.desk.taken, office.pipeline.attempts(made["SMS"])) == ([], [])


def test_a_suppressed_whatsapp_number_gets_no_sms_instead(office: Office) -> None:
    suppress(office, "WHATSAPP", NUMBER)
    made = office.notify("PAYMENT_RECEIVED", "WHATSAPP")
    office.send("WHATSAPP")
    assert office.end(made["WHATSAPP"]) == ("FAILED", "suppressed")
    assert office.pipeline.scalar("select count(*) from notification_deliveries") == 1


def test_a_refused_whatsapp_gives_way_to_sms(office: Office) -> None:
    office.says(refused_channels=["WHATSAPP"])
    made = office.notify("PAYMENT_RECEIVED", "WHATSAPP")
    office.send("WHATSAPP")
    assert office.end(made["WHATSAPP"]) == ("FAILED", "refused_channel")
    assert office.send("SMS") == 1
    assert len(office.desk.taken) == 1


def test_an_opt_out_holds_back_its_category_but_nothing_that_is_owed(office: Office) -> None:
    office.says(opted_out=["DOSSIER", "PAYMENT", "REMINDER"])
    choice = office.notify("STATUS_CHANGED", "EMAIL", "SMS")
    owed = office.notify("PAYMENT_RECEIVED", "EMAIL", "SMS")
    office.send("EMAIL")
    office.send("SMS")
    assert {office.end(each) for each in choice.values()} == {("FAILED", "opted_out")}
    assert {office.end(each) for each in owed.values()} == {("SENT", None)}
    assert office.pipeline.scalar("select count(*) from fleet.fallbacks") == 0


def night(office: Office) -> datetime:
    """Move the clock to tomorrow, 23:00 in Paris."""
    wall = office.pipeline.clock().astimezone(PARIS) + timedelta(days=1)
    office.pipeline.clock.now = wall.replace(hour=23, minute=0, second=0, microsecond=0)
    return office.pipeline.clock.now


def test_at_night_a_phone_waits_for_the_morning_and_an_email_does_not(office: Office) -> None:
    office.consent = Consent(quiet=Quiet(time(21), time(8)))
    at = night(office)
    made = office.notify("PAYMENT_FAILED", "EMAIL", "SMS", "WHATSAPP")
    for channel in made:
        office.send(channel)
    assert office.end(made["EMAIL"])[0] == "SENT"
    for channel in ("SMS", "WHATSAPP"):
        row = office.due(made[channel])
        assert (row.tries, row.last_code, row.lease_until) == (0, "quiet_hours", None)
        assert row.due_at.astimezone(PARIS).timetz() == time(8, tzinfo=PARIS)
        assert row.due_at - at == timedelta(hours=9)
    assert office.desk.taken == []
    office.pipeline.clock.now = office.due(made["SMS"]).due_at
    office.send("SMS")
    assert office.end(made["SMS"])[0] == "SENT"


def test_a_persons_own_hours_and_zone_come_first(office: Office) -> None:
    office.consent = Consent(quiet=Quiet(time(21), time(8)))
    night(office)
    office.says(time_zone="America/New_York")  # where it is 17:00
    made = office.notify("STATUS_CHANGED", "SMS")
    office.send()
    assert office.end(made["SMS"])[0] == "SENT"
    office.says(quiet_from=time(16), quiet_to=time(18))
    made = office.notify("STATUS_CHANGED", "SMS")
    office.send()
    assert office.due(made["SMS"]).last_code == "quiet_hours"
    office.says(quiet_from=time(8), quiet_to=time(8))  # never
    office.send()
    assert office.end(made["SMS"])[0] == "SENT"


def test_what_a_person_says_now_counts_for_what_waits(office: Office) -> None:
    office.consent = Consent(quiet=Quiet(time(21), time(8)))
    night(office)
    made = office.notify("STATUS_CHANGED", "SMS")
    office.send()
    suppress(office, "SMS", NUMBER)
    office.pipeline.clock.now = office.due(made["SMS"]).due_at
    office.send()
    assert office.end(made["SMS"]) == ("FAILED", "suppressed")


def test_an_open_attempt_is_given_up_with_what_is_not_sent_again(office: Office) -> None:
    made = office.notify("STATUS_CHANGED", "EMAIL")
    attempt = {"token": made["EMAIL"], "delivery_id": made["EMAIL"], "number": 1}
    with office.pipeline.sessions.begin() as session:
        rows = json_rows.dumps([attempt | {"channel": "EMAIL", "provider": "sendgrid"}])
        dispatch.open_attempts(session, rows, office.pipeline.clock())
    office.says(refused_channels=["EMAIL"])
    office.pipeline.clock.forward(1000)
    office.send("EMAIL")
    assert office.end(made["EMAIL"]) == ("FAILED", "refused_channel")
    assert [a.outcome for a in office.pipeline.attempts(made["EMAIL"])] == ["NO_EVIDENCE"]
    office.pipeline.write_back(made["EMAIL"], "message-1")
    office.pipeline.evidence().run(never)
    assert office.end(made["EMAIL"]) == ("SENT", None)


def channels(office: Office) -> dict[str, str]:
    """Which deliveries the fleet makes of a rejected document, for a person with an address and a number."""
    office.pipeline.change("update profiles set phone = '06 39 98 00 01'")
    notification_id = office.app.notify(office.client, "Bonjour", "Votre conseiller vous attend.")
    office.pipeline.change("update notifications set template_code = 'DOCUMENT_REJECTED'")
    office.pipeline.clock.forward(60)
    office.pipeline.routing().run(never)
    rows = office.pipeline.rows(
        "select channel::text, status::text from notification_deliveries where notification_id = :id",
        id=notification_id,
    )
    return {row.channel: row.status for row in rows}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"IN_APP", "EMAIL", "WHATSAPP"}),
        ({"prefers_sms": True}, {"IN_APP", "EMAIL", "SMS"}),
        ({"refused_channels": ["WHATSAPP"]}, {"IN_APP", "EMAIL", "SMS"}),
        ({"prefers_sms": True, "refused_channels": ["SMS"]}, {"IN_APP", "EMAIL", "WHATSAPP"}),
        ({"refused_channels": ["EMAIL", "SMS", "WHATSAPP", "IN_APP"]}, {"IN_APP"}),
    ],
)
def test_a_notification_goes_where_the_person_wants_it(
    office: Office, said: dict[str, object], expected: set[str]
) -> None:
    office.says(**said)
    assert set(channels(office)) == expected
    assert office.pipeline.rows("select from fleet.fallbacks") == []


def test_words_are_in_the_persons_language(office: Office) -> None:
    office.says(locale="en")
    office.notify("STATUS_CHANGED", "SMS")
    office.send()
    office.says(locale="fr")
    office.notify("STATUS_CHANGED", "SMS")
    office.send()
    english, french = (message.body for message in office.desk.taken)
    assert english != french
