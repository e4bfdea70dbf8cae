"""Orders that are reminded of, and then paid and given back, or cancelled: by the payments' real services."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from providers.stripe import StripePayments
from providers.transport import PooledTransport
from services.payments.asking import Cashier
from services.payments.checkouts import Checkouts
from services.payments.ladder import ReminderPolicy
from services.payments.reminding import Reminders
from services.payments.words import Learned
from tests.notifications.pipeline import APP_URL, never
from workers.dev.sandbox.state import USUAL_STRIPE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient

PUBLIC_URL = "https://fleet.example.com"
POLICY = ReminderPolicy(interval=timedelta(days=1), ladder=(1,))


@dataclass
class Arrears:
    """The services beside the pipeline, on the same sandbox and clock.

    Attributes:
        pipeline: What tells people of it.
        sandbox: Stripe.
        reminders: Reminds once, and cancels a day later.
    """

    pipeline: Pipeline
    sandbox: SandboxClient
    reminders: Reminders

    @property
    def cashier(self) -> Cashier:
        return self.reminders.checkouts.cashier

    def remind(self, clients: Sequence[Client]) -> None:
        """They have let a month go by."""
        self.pipeline.change(
            "update orders set created_at = created_at - interval '30 days' where id = any(:orders)",
            orders=[client.order_id for client in clients],
        )
        self.pipeline.change(
            "update profiles set status = 'SUSPENDED' where id = any(:users)",
            users=[client.user_id for client in clients],
        )
        assert self.reminders.claim(never) == len(clients)
        assert self.reminders.run(never) == len(clients)

    def pay_and_get_back(self, client: Client) -> None:
        """The client pays in the reminder's checkout, and is given the money back."""
        (session_id,) = self.pipeline.rows(
            "select session_id from fleet.reminders where order_id = :id", id=client.order_id
        )[0]
        paid = self.sandbox.pay(session_id)
        self.cashier.order(client.order_id, Learned.CHECK)
        assert paid.payment_intent
        self.sandbox.refund(paid.payment_intent)
        self.cashier.order(client.order_id, Learned.CHECK)

    def give_up(self, number: int) -> None:
        """Two days go by; so many orders are cancelled."""
        self.pipeline.change("update fleet.reminders set sent_at = sent_at - interval '2 days'")
        assert self.reminders.cancel_exhausted(never) == number


@contextmanager
def open_arrears(pipeline: Pipeline, sandbox: SandboxClient) -> Iterator[Arrears]:
    """With a Stripe that knows nothing yet."""
    sandbox.clear_stripe()
    lines = PooledTransport(connect_timeout=3.0, read_timeout=10.0, connections=8)
    stripe = StripePayments(USUAL_STRIPE_KEY, sandbox.base_url, lines, lambda: None)
    cashier = Cashier(pipeline.sessions, stripe, pipeline.clock)
    checkouts = Checkouts(pipeline.sessions, cashier, stripe, pipeline.clock, APP_URL)
    yield Arrears(
        pipeline, sandbox, Reminders(pipeline.sessions, checkouts, pipeline.clock, POLICY, PUBLIC_URL)
    )
    lines.close()
