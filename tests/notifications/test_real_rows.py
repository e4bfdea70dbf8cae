"""Every message worded from the rows that triggers and services, the platform's and ours, have written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from providers.base import EmailMessage, Receipt
from services.notifications import catalogue, subject, words
from services.notifications.carriers import EmailCarrier, PhoneCarrier, WhatsAppCarrier
from services.notifications.delivery import Drain
from services.notifications.template_codes import Template
from tests.notifications.arrears import open_arrears
from tests.notifications.pipeline import APP_URL, LEASE, POLICY, RENDERER, never
from tests.notifications.prospects import Prospects
from tests.notifications.reading import HOSTILE, Page
from tests.notifications.test_catalogue import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from db.queries.dispatch import ClaimedRow
    from providers.base import PhoneMessage
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application
    from workers.dev.sandbox.client import SandboxClient

# To people without an account, by e-mail alone.
LETTERS = {Template.PAYMENT_LINK, Template.PAYMENT_LINK_REMINDER}
NAMES: Mapping[str, str] = {"plain": "Camille Exemple"} | {
    # PostgreSQL keeps no NUL.
    kind: text.replace("\x00", "")
    for kind, text in HOSTILE.items()
}


@dataclass
class Kept:
    """A provider that takes everything and keeps it."""

    name: str = "kept"
    emails: list[EmailMessage] = field(default_factory=list)
    texts: list[PhoneMessage] = field(default_factory=list)

    def send(self, message: EmailMessage | PhoneMessage) -> Receipt:
        if isinstance(message, EmailMessage):
            self.emails.append(message)
        else:
            self.texts.append(message)
        return Receipt(self.name, f"message-{message.token}")


@dataclass
class Reader:
    """Words what was claimed in every language, by the carriers that do it in earnest."""

    channel: str
    clock: Clock
    provider: str = "kept"
    emails: list[tuple[ClaimedRow, str, EmailMessage]] = field(default_factory=list)
    texts: list[tuple[ClaimedRow, str, PhoneMessage]] = field(default_factory=list)

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        for locale in words.LOCALES:
            kept = Kept()
            for carrier in self._carriers(kept, locale):
                carrier.carry(claimed, token)
            self.emails += [(claimed, locale, email) for email in kept.emails]
            self.texts += [(claimed, locale, text) for text in kept.texts]
        return Receipt(self.provider, f"message-{token}")

    def _carriers(self, kept: Kept, locale: str) -> list[EmailCarrier | PhoneCarrier]:
        usual = (kept, RENDERER, locale, APP_URL)
        if self.channel == "EMAIL":
            return [EmailCarrier(*usual, unsubscribe=_unsubscribe)]
        whatsapp = WhatsAppCarrier(
            *usual,
            "FR",
            templates={},
            free_text_always=True,
            give_way_after=timedelta(hours=1),
            clock=self.clock,
        )
        return [PhoneCarrier(*usual, "FR"), whatsapp]


def test_every_message_is_worded_from_real_rows(
    app: Application, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    for number, name in enumerate(NAMES.values()):
        client = app.pay(app.register(f"client{number}@example.com", name, phone=f"+3363998000{number}"))
        for act, _, _ in ANNOUNCED.values():
            act(app, client)
        own = app.notify(client, f"Titre {name}"[:200], f"Bonjour {name}\nà lundi")
        app.deliver(own, "EMAIL", client.email)
        app.deliver(own, "WHATSAPP", client.email)
    in_arrears(app, pipeline, sandbox)
    written = letters(pipeline)
    pipeline.fan_out().run(never)
    pipeline.notices().run(never)
    emails, phones = Reader("EMAIL", clock), Reader("WHATSAPP", clock)
    for reader in (emails, phones):
        Drain(reader.channel, reader, pipeline.sessions, POLICY, timedelta(seconds=LEASE), 1, clock).run(
            never
        )

    told = {(email.category, locale) for _, locale, email in emails.emails}
    assert told == {(template, locale) for template in Template for locale in words.LOCALES}
    assert {claimed.full_name for claimed, _, _ in emails.emails} == set(NAMES.values())
    assert len([claimed for claimed, _, _ in emails.emails if claimed.delivery_id in written]) == 4 * len(
        NAMES
    )
    for claimed, _, email in emails.emails:
        _reads_well(email)
        page = Page(email.html)
        assert (claimed.user_id is None) == (claimed.template_code in LETTERS)
        route = catalogue.route(claimed.template_code)
        person = claimed.user_id
        opt_out = None if route.mandatory or person is None else _unsubscribe(person, route.category)
        assert email.unsubscribe_url == opt_out
        assert set(page.links) == {subject.absolute(APP_URL, claimed.action_url), opt_out} - {None}
    rung = {claimed.template_code for claimed, _, _ in phones.texts}
    assert rung >= {t for t, route in catalogue.ROUTES.items() if "SMS" in route.channels} - LETTERS
    for _, _, text in phones.texts:
        assert text.body.strip()
        assert "None" not in text.body


def in_arrears(app: Application, pipeline: Pipeline, sandbox: SandboxClient) -> None:
    """All are reminded: one half pays and is given it back, the other half's orders are cancelled."""
    late = [
        app.register(f"late{number}@example.com", name, phone=f"+336399800{number}")
        for number, name in enumerate(NAMES.values(), 10)
    ]
    half = len(late) // 2
    with open_arrears(pipeline, sandbox) as arrears:
        arrears.remind(late)
        for client in late[:half]:
            arrears.pay_and_get_back(client)
        arrears.give_up(len(late) - half)


def letters(pipeline: Pipeline) -> set[UUID]:
    """A link for each of the names, its letter and its reminder both in the queue; the letters' ids."""
    prospects = Prospects(pipeline.sessions, pipeline.application, pipeline.clock)
    for number, name in enumerate(NAMES.values()):
        prospects.link(f"prospect{number}@example.com", name, days=2)
    prospects.links.run(never)
    yesterday = pipeline.clock.now - timedelta(days=1)
    prospects.change("update fleet.letters set status = 'SENT', sent_at = :then", then=yesterday)
    prospects.links.run(never)
    prospects.change("update fleet.letters set status = 'PENDING', sent_at = null")
    return {letter.id for letter in prospects.letters()}


def _unsubscribe(user_id: UUID, category: str) -> str:
    return f"https://fleet.example.com/u/{user_id}.{category}"


def _reads_well(email: EmailMessage) -> None:
    page = Page(email.html)
    assert page.problems == []
    assert "script" not in {tag for tag, _ in page.elements}
    assert 0 < len(email.subject) <= 150
    for part in (email.subject, email.text, page.text):
        assert re.search(r"\bNone\b|[A-Z]{3,}_[A-Z]|[«“]\s*[»”]", part) is None
        assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", part) is None
    assert "\n" not in email.subject
