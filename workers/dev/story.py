"""What clients do in the demo, and how many messages each address and number is worth by that."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import urllib3

from workers.dev.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.wire import MessageSummary
    from workers.dev.shop import Shop

SOON_SECONDS: Final = 30.0
"""Within which the fleet has done what the story goes on from, after a crash of a worker too."""

DUPLICATES: Final = 1
"""Deliveries that the application inserts a second time."""

BOUNCES: Final = 2
"""E-mails to the address that is gone."""

DAYS: Final = 3
"""From a refused card to the reminder."""

# The last four digits say what the sandbox makes of it: see workers/dev/sandbox/behaviours.py.
_NO_WHATSAPP, _WHATSAPP_FAILS_LATER = "+33639989903", "+33639989924"

_NAMES = ("Camille Exemple", "Andrea Sample", "Maxime O’Exemple", "Sacha <b>Beispiel</b>")


class StoryError(Exception):
    """The fleet has not done what the story goes on from; says what."""


@dataclass(frozen=True)
class Story:
    """Plays clients, and the application that they use.

    What waits for the fleet raises ``StoryError`` where it waits in vain.

    Attributes:
        shop: The application.
        sandbox: Where clients pay and get their messages.
        public_url: Where the links in reminders lead.
        worth: How many messages are due by what was played so far, by address and number: a number gets each
            on one channel.
    """

    shop: Shop
    sandbox: SandboxClient
    public_url: str
    worth: Counter[str] = field(default_factory=Counter)
    _payers: list[Client] = field(default_factory=list)

    def buy(self, number: int) -> Client:
        """A client registers, and pays on Stripe's page."""
        name = _NAMES[number % len(_NAMES)]
        return self._pay(f"client{number:02}@example.com", name, f"+336399810{number:02}")

    def hand_in(self, client: Client) -> None:
        """The dossier of a client, who has one by now, goes on."""
        passport = self.shop.upload(client, "PASSPORT")  # received
        proof = self.shop.upload(client, "PROOF_ADDRESS")  # received
        self.shop.review(passport, "APPROVED")  # approved
        self.shop.review(proof, "REJECTED", 'Page 2 manque : "l’adresse" est illisible & coupée.')  # rejected
        self.shop.complete_step(client, "QUALIFICATION")  # step completed
        self.shop.change_status(client, "FORM_SUBMITTED")  # status changed
        self.shop.write_message(client, "Bonjour, il nous manque une page.")  # new message
        self.shop.event("STEP_STARTED", "dossier", client.dossier_id or client.user_id)  # nobody is told
        self._is_told(client, emails=7, phone=2)  # on the phone: rejected, new message

    def hard_to_reach(self) -> None:
        """Clients whom the first way does not lead to: WhatsApp gives way to SMS, and e-mails come back."""
        self._pay("client+bounce@example.com", "Lou Exemple")
        for number, phone in enumerate((_NO_WHATSAPP, _WHATSAPP_FAILS_LATER)):
            self._pay(f"phone{number}@example.com", "Charlie Beispiel", phone)

    def own_words(self) -> None:
        """Notifications that the application writes: with a delivery, with it twice, and without any."""
        client = self._pay("invite@example.com", "Noa Exemple")
        with_delivery = self.shop.notify(client, "Rendez-vous", "Votre rendez-vous est confirmé.")
        self.shop.deliver(with_delivery, "EMAIL", client.email)
        self.shop.deliver(with_delivery, "EMAIL", client.email)  # refused as a duplicate
        self.shop.notify(client, "Documents prêts", "Vos statuts sont à votre disposition.")
        self._is_told(client, emails=2)

    def with_dossiers(self, clients: Sequence[Client]) -> Sequence[Client]:
        """The same clients, as soon as the fleet has settled what they paid and opened their dossiers."""
        opened: list[Client] = []

        def all_opened() -> bool:
            opened[:] = self.shop.with_dossiers(clients)
            return len(opened) == len(clients)

        _wait(all_opened, "not every payment has led to a dossier")
        return opened

    def end(self) -> None:
        """Nobody does anything any more, and every payment has been heard of."""
        self.with_dossiers(self._payers)

    def be_refused(self) -> Client:
        """A client registers, and the card is refused."""
        client = self.shop.register("late@example.com", "Camille Exemple", phone="+33639981099")
        self.sandbox.decline(self.shop.checkout(client).session_id)
        self._is_told(client, emails=1, phone=1)
        return client

    def wait_for_days(self, client: Client) -> None:
        """Days pass for a client whose card was refused: the order is set back by them."""
        _wait(lambda: self.shop.is_suspended(client), "the fleet has not heard of the refused card")
        self.shop.set_back(client, DAYS)

    def come_back(self, client: Client) -> None:
        """A client follows the link of a reminder, presses the button there, and pays on Stripe's page."""
        _wait(lambda: bool(self.mails(client, "REMINDER")), "no reminder has come")
        mail = self.sandbox.message(self.mails(client, "REMINDER")[0].id)
        link = re.search(re.escape(self.public_url) + r"/r/[\w-]+", mail.text)
        if link is None:
            raise StoryError("the reminder has no link")
        led = urllib3.request("POST", link.group(), redirect=False, retries=False)
        if "Location" not in led.headers:
            raise StoryError(f"the reminder's link was answered with {led.status}")
        self.sandbox.pay(led.headers["Location"].rpartition("/")[2])
        self._payers.append(client)
        self._is_told(client, emails=3, phone=3)  # the reminder, the welcome, the payment

    def is_welcomed_back(self, client: Client) -> bool:
        """Whether a client who came back gets the words for it, and soon."""
        return wait_until(lambda: bool(self.mails(client, "WELCOME_BACK")), SOON_SECONDS)

    def mails(self, client: Client, template: str) -> Sequence[MessageSummary]:
        """The e-mails of one kind that a client has got."""
        return [each for each in self.sandbox.messages(to=client.email) if template in each.categories]

    def _pay(self, email: str, name: str, phone: str | None = None) -> Client:
        client = self.shop.register(email, name, phone=phone)
        self.sandbox.pay(self.shop.checkout(client).session_id)
        self._payers.append(client)
        self._is_told(client, emails=2, phone=2)  # welcome, payment
        return client

    def _is_told(self, client: Client, emails: int, phone: int = 0) -> None:
        self.worth[client.email] += emails
        if client.phone is not None:
            self.worth[client.phone] += phone


def _wait(condition: Callable[[], bool], what: str) -> None:
    if not wait_until(condition, SOON_SECONDS):
        raise StoryError(f"{what} within {SOON_SECONDS:g} s")
