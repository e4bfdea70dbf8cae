"""What has failed goes to the address that the account has now, when somebody has it sent once more."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from db.queries import people, story, suppressions
from db.queries.failures import Wanted
from db.queries.interventions import By
from db.queries.people import Addresses
from db.queries.suppressions import Wish
from services.notifications import readdressing
from services.notifications.effects import Effects
from services.notifications.fallback import give_way
from services.notifications.receipts import Word
from tests.notifications.pipeline import email, never, side_by_side
from tests.notifications.prospects import PROSPECT, Prospects
from tests.notifications.test_suppressions import classify
from workers import steering, telling

if TYPE_CHECKING:
    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient
    from workers.steering import Retried, Retrying

BY = By("dominique", "the address is mended")
OLD, NEW = "camille@example.com", "Camille.Exemple@example.com"
OLD_NUMBER, NEW_NUMBER = "+33639980001", "+33639980002"


class Desk:
    """An operator, and what the platform and the providers do meanwhile."""

    def __init__(self, pipeline: Pipeline, app: Application, client: Client) -> None:
        self.pipeline, self.app, self.client = pipeline, app, client

    def told(self, channel: str = "EMAIL") -> UUID:
        """The fleet tells the client of an event; gives the delivery on a channel."""
        self.app.write_message(self.client, "Il nous manque une page.")
        self.pipeline.fan_out().run(never)
        return self.newest(channel)

    def routed(self) -> UUID:
        """The fleet gives deliveries to a notification of the application's; gives that by e-mail."""
        self.app.notify(self.client, "Rendez-vous", "Votre conseiller vous attend.")
        self.pipeline.clock.forward(60)
        self.pipeline.routing().run(never)
        return self.newest("EMAIL")

    def newest(self, channel: str) -> UUID:
        found: UUID = self.pipeline.rows(
            "select id from notification_deliveries where channel = cast(:channel as notification_channel)"
            " order by created_at desc limit 1",
            channel=channel,
        )[0][0]
        return found

    def fails(self, delivery_id: UUID, code: str = "http_400") -> UUID:
        """A try that came to nothing; gives its token."""
        self.pipeline.change(
            "update notification_deliveries set status = 'FAILED', failed_at = now(),"
            " provider_response = jsonb_build_object('code', cast(:code as text)) where id = :id",
            id=delivery_id,
            code=code,
        )
        self.pipeline.change("delete from fleet.dispatch where delivery_id = :id", id=delivery_id)
        token = uuid4()
        self.pipeline.change(
            "insert into fleet.attempts"
            " (token, delivery_id, number, channel, provider, opened_at, closed_at, outcome, evidence)"
            " select :token, id, 1, channel::text,"
            "   case channel when 'EMAIL' then 'sendgrid' else 'twilio' end, :at, :at, 'NO_EVIDENCE', 'NONE'"
            " from notification_deliveries where id = :id",
            token=token,
            id=delivery_id,
            at=self.pipeline.clock.now,
        )
        return token

    def mend(self, address: str | None = NEW) -> None:
        """The application changes the account's address."""
        change = "update auth.users set email = :address where id = :id"
        self.pipeline.change(change, address=address, id=self.client.user_id)

    def has_number(self, number: str | None) -> None:
        change = "update profiles set phone = :number where id = :id"
        self.pipeline.change(change, number=number, id=self.client.user_id)

    def suppress(self, address: str, channel: str = "EMAIL") -> None:
        with self.pipeline.sessions.begin() as session:
            wish = Wish(channel, address, "HARD_BOUNCE", "sendgrid", self.pipeline.clock.now)
            suppressions.heed(session, [wish])

    def plan(self, *ids: UUID) -> Retrying:
        with self.pipeline.sessions() as session:
            return steering.plan_retry(session, Wanted(ids), "FR", self.pipeline.clock.now)

    def obstacle(self, delivery_id: UUID) -> str | None:
        plan = self.plan(delivery_id)
        return plan.left[0].obstacle if plan.left else None

    def retry(self, *ids: UUID) -> Retried:
        with self.pipeline.sessions.begin() as session:
            return steering.retry(session, ids, "FR", BY, {})

    def moved(self, delivery_id: UUID) -> UUID:
        """Retry what goes elsewhere; gives the delivery that goes there."""
        done = self.retry(delivery_id)
        assert done.again == []
        (anew,) = done.anew
        return anew.sent_as

    def to(self, delivery_id: UUID) -> tuple[str, str]:
        row = self.pipeline.delivery(delivery_id)
        return row.recipient, str(row.status)

    def suppressed(self) -> set[str]:
        found = self.pipeline.rows("select address from fleet.suppressions where lifted_at is null")
        return {row.address for row in found}


@pytest.fixture
def desk(pipeline: Pipeline, app: Application, paid: Client) -> Desk:
    return Desk(pipeline, app, paid)


@pytest.mark.parametrize("made", ["told", "routed"])
def test_it_goes_to_the_mended_address_and_is_told(desk: Desk, sandbox: SandboxClient, made: str) -> None:
    lost: UUID = getattr(desk, made)()
    desk.fails(lost)
    desk.suppress(OLD)
    desk.mend()
    plan = desk.plan(lost)
    assert ([each.delivery_id for each in plan.able], plan.moved) == ([lost], {lost: "C…@example.com"})

    anew = desk.moved(lost)
    assert (desk.to(lost), desk.to(anew)) == ((OLD, "FAILED"), (NEW, "PENDING"))
    queued = desk.pipeline.queued(anew)
    assert queued is not None
    assert (queued.priority, queued.channel, desk.pipeline.queued(lost)) == (1, "EMAIL", None)
    assert desk.pipeline.send() == 1
    assert [message.recipient for message in sandbox.messages()] == [NEW]
    assert desk.to(anew) == (NEW, "SENT")

    assert desk.obstacle(lost) == "another delivery has taken its place"
    (record,) = desk.pipeline.rows("select subject, details from fleet.interventions")
    notification_id = desk.pipeline.delivery(lost).notification_id
    said = {"of": 1, "sent_as": str(anew), "notification_id": str(notification_id)}
    assert (record.subject, record.details) == (lost, said)
    with desk.pipeline.sessions() as session:
        for asked in (lost, anew):
            found = story.find(session, asked)
            assert found is not None
            moments = telling.tell(found, desk.pipeline.clock.now)
            words = f"retry by dominique: {BY.why}; to the account's present address as {anew}"
            assert words in [moment.told for moment in moments]


@pytest.mark.parametrize("now", [OLD, "Camille@Example.com "])
def test_the_same_address_is_tried_once_more(desk: Desk, now: str) -> None:
    lost = desk.told()
    desk.fails(lost)
    desk.mend(now)
    assert desk.plan(lost).moved == {}
    done = desk.retry(lost)
    assert (done.again, done.anew, desk.to(lost)) == ([lost], [], (OLD, "PENDING"))


def test_what_the_application_has_addressed_keeps_its_address(desk: Desk) -> None:
    lost = email(desk.app, desk.client, "compta@example.com")
    desk.fails(lost)
    desk.mend()
    assert desk.plan(lost).moved == {}
    assert desk.retry(lost).again == [lost]
    assert desk.to(lost) == ("compta@example.com", "PENDING")


def test_a_fallback_of_the_fleets_goes_to_the_number_of_now(desk: Desk) -> None:
    desk.has_number("06 39 98 00 01")
    whatsapp = desk.told("WHATSAPP")
    desk.fails(whatsapp, "63003")
    with desk.pipeline.sessions.begin() as session:
        assert give_way(session, [whatsapp], "REFUSED", desk.pipeline.clock.now) == [whatsapp]
    sms = desk.newest("SMS")
    desk.fails(sms, "30006")
    desk.has_number(" 06 39 98 00 02")
    assert desk.obstacle(whatsapp) == "SMS has taken over, and is FAILED"
    assert desk.plan(sms).moved == {sms: "+33…02"}
    anew = desk.moved(sms)
    assert desk.to(anew) == (NEW_NUMBER, "PENDING")
    assert desk.pipeline.rows("select from_delivery_id, to_delivery_id from fleet.fallbacks") == [
        (whatsapp, anew)
    ]
    desk.fails(anew, "30006")
    desk.has_number(OLD_NUMBER)
    assert desk.to(desk.moved(anew)) == (OLD_NUMBER, "PENDING")


def test_a_fallback_from_what_the_application_has_addressed_keeps_its_number(desk: Desk) -> None:
    notification_id = desk.app.notify(desk.client, "Rendez-vous", "Demain.")
    whatsapp = desk.app.deliver(notification_id, "WHATSAPP", OLD_NUMBER)
    desk.fails(whatsapp, "63003")
    with desk.pipeline.sessions.begin() as session:
        give_way(session, [whatsapp], "REFUSED", desk.pipeline.clock.now)
    sms = desk.newest("SMS")
    desk.fails(sms)
    desk.has_number(NEW_NUMBER)
    assert desk.plan(sms).moved == {}
    assert desk.retry(sms).again == [sms]


def test_a_whatsapp_that_goes_elsewhere_can_give_way_there(desk: Desk) -> None:
    desk.has_number(OLD_NUMBER)
    whatsapp = desk.told("WHATSAPP")
    desk.fails(whatsapp, "opted_out")
    desk.has_number(NEW_NUMBER)
    anew = desk.moved(whatsapp)
    desk.fails(anew, "63003")
    with desk.pipeline.sessions.begin() as session:
        assert give_way(session, [whatsapp, anew], "REFUSED", desk.pipeline.clock.now) == [anew]
    assert desk.to(desk.newest("SMS")) == (NEW_NUMBER, "PENDING")


def test_without_an_address_there_is_no_retry(desk: Desk) -> None:
    desk.has_number(OLD_NUMBER)
    mail, phone = desk.told(), desk.newest("WHATSAPP")
    desk.fails(mail)
    desk.fails(phone)
    desk.mend(None)
    desk.has_number(" ")
    assert desk.obstacle(mail) == readdressing.NO_EMAIL
    assert desk.obstacle(phone) == readdressing.NO_PHONE


def test_suppressed_addresses_are_named_before_with_the_mend(desk: Desk) -> None:
    lost, own = desk.told(), email(desk.app, desk.client)
    desk.fails(lost, "suppressed")
    desk.fails(own, "suppressed")
    desk.suppress(OLD)
    assert desk.obstacle(lost) == (
        "its address is suppressed (HARD_BOUNCE): mend that of the account, or lift it with fleet unsuppress"
    )
    assert str(desk.obstacle(own)).startswith(
        "its address is suppressed (HARD_BOUNCE), and is the application's: mend its recipient, or lift it"
    )
    desk.mend()
    assert desk.obstacle(lost) is None
    desk.suppress(NEW.lower())
    assert str(desk.obstacle(lost)).startswith(
        "the account's present address is suppressed (HARD_BOUNCE): mend it there, or lift it"
    )


def test_a_person_who_was_erased_is_left_alone(desk: Desk) -> None:
    lost = desk.told()
    desk.fails(lost)
    desk.pipeline.change('update notifications set payload = \'{"redacted_at": "now"}\'')
    desk.mend()
    assert desk.obstacle(lost) == "the person was erased"


def test_a_letter_keeps_its_address_for_its_link_is_a_secret(desk: Desk) -> None:
    prospects = Prospects(desk.pipeline.sessions, desk.pipeline.application, desk.pipeline.clock)
    link_id = prospects.link()
    prospects.links.run(never)
    letter_id = prospects.letter(link_id).id
    desk.pipeline.change("update fleet.letters set status = 'FAILED', failed_at = now()")
    assert desk.obstacle(letter_id) is None
    desk.suppress(PROSPECT)
    assert "fleet links create" in str(desk.obstacle(letter_id))
    change = "update payment_links set prospect_email = :email where id = :id"
    desk.pipeline.change(change, email=NEW, id=link_id)
    assert desk.obstacle(letter_id) == readdressing.OTHER_HOLDER
    done = desk.retry(letter_id)
    assert (done.again, done.anew, prospects.letter(link_id).recipient) == ([letter_id], [], PROSPECT)


def test_it_can_go_elsewhere_twice(desk: Desk) -> None:
    first = desk.told()
    desk.fails(first)
    desk.mend("camille@example.org")
    second = desk.moved(first)
    desk.fails(second)
    desk.mend()
    third = desk.moved(second)
    assert [desk.to(each) for each in (first, second, third)] == [
        (OLD, "FAILED"),
        ("camille@example.org", "FAILED"),
        (NEW, "PENDING"),
    ]


def test_two_who_press_at_once_send_it_once(desk: Desk) -> None:
    lost = desk.told()
    desk.fails(lost)
    desk.mend()
    done: list[int] = []
    with side_by_side(*[lambda: done.append(desk.retry(lost).count)] * 2):
        pass
    assert sorted(done) == [0, 1]
    assert len(desk.pipeline.rows("select from notification_deliveries where channel = 'EMAIL'")) == 2


def test_a_late_bounce_is_about_the_old_address(desk: Desk, sandbox: SandboxClient) -> None:
    lost = desk.told()
    token = desk.fails(lost, "no_evidence")
    desk.mend()
    anew = desk.moved(lost)
    body = {
        "event": "bounce",
        "type": "bounce",
        "email": OLD,
        "attempt": str(token),
        "timestamp": int(desk.pipeline.clock.now.timestamp()),
        "status": "5.1.1",
    }
    desk.pipeline.change(
        "insert into fleet.inbox (provider, callback_id, body)"
        " values ('sendgrid', 'b', cast(:body as jsonb))",
        body=json.dumps(body),
    )
    desk.pipeline.clock.forward(1)
    assert desk.pipeline.evidence().run(never) == 1
    assert (desk.to(lost), desk.to(anew)) == ((OLD, "BOUNCED"), (NEW, "PENDING"))
    assert desk.suppressed() == {OLD}
    assert desk.pipeline.send() == 1
    assert (desk.to(anew), len(sandbox.messages())) == ((NEW, "SENT"), 1)


def test_a_late_stop_is_about_the_old_number(desk: Desk) -> None:
    desk.has_number(OLD_NUMBER)
    lost = desk.told("WHATSAPP")
    token = desk.fails(lost, "no_evidence")
    desk.has_number(NEW_NUMBER)
    anew = desk.moved(lost)
    now = desk.pipeline.clock.now + timedelta(seconds=1)
    word = Word("twilio", token, "SM1", "FAILED", now, "63014")
    with desk.pipeline.sessions.begin() as session:
        Effects({"twilio": classify}, "FR").apply(session, [word], "CALLBACK", now)
    assert desk.suppressed() == {OLD_NUMBER}
    assert (desk.to(lost)[1], desk.to(anew)) == ("FAILED", (NEW_NUMBER, "PENDING"))
    assert desk.pipeline.rows("select from fleet.fallbacks") == []


def test_what_went_to_the_old_address_is_found_when_the_person_is_erased(desk: Desk) -> None:
    lost = desk.told()
    token = desk.fails(lost)
    desk.mend()
    anew = desk.moved(lost)
    with desk.pipeline.sessions() as session:
        assert ("EMAIL", OLD) in people.find(session, desk.client.user_id).recipients
    desk.pipeline.change("delete from auth.users where id = :id", id=desk.client.user_id)
    with desk.pipeline.sessions() as session:
        belongings = people.belongings(
            session, desk.client.user_id, Addresses([], [], None, None, None, [], None)
        )
    assert {lost, anew} <= set(belongings.deliveries)
    assert token in belongings.tokens


def test_a_retry_of_nothing_records_nothing(desk: Desk) -> None:
    waiting = desk.told()
    desk.mend()
    assert desk.retry(waiting).count == 0
    assert desk.pipeline.rows("select from fleet.interventions") == []
