"""How the platform's application sells: payment links, and Checkout Sessions by Stripe's own SDK."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import stripe

from workers.dev.application import Application, Client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

_TIMEOUT = (3.0, 10.0)
"""Seconds to connect, and to wait for an answer."""


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """A Checkout Session of an order, and where its page is."""

    session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class PaymentLink:
    """What an admin has made for a prospect."""

    id: UUID
    token: str


class Shop(Application):
    """The application with its Stripe account. A context manager.

    Args:
        database_url: The platform's database.
        environment: What names Stripe and the application: ``STRIPE_SECRET_KEY``, ``STRIPE_BASE_URL`` and
            ``APP_URL``, as in a stack's environment.
    """

    def __init__(self, database_url: str, environment: Mapping[str, str]) -> None:
        super().__init__(database_url)
        self._app_url = environment["APP_URL"].rstrip("/")
        self._http = stripe.RequestsClient(timeout=_TIMEOUT)
        self._stripe = stripe.StripeClient(
            environment["STRIPE_SECRET_KEY"],
            base_addresses={"api": environment["STRIPE_BASE_URL"].rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )

    def __exit__(self, *exit_: object) -> None:
        self._http.close()  # type: ignore[no-untyped-call]  # the SDK's own
        super().__exit__(*exit_)

    def checkout(self, client: Client) -> OpenCheckout:
        """Let the client pay: a new Checkout Session for the order, which becomes the order's current one.

        Raises:
            stripe.StripeError: Stripe made none.
        """
        user_id, product_id, amount, currency, name = self._row(
            "select o.user_id, o.product_id, o.amount, o.currency, p.name"
            " from orders o join products p on p.id = o.product_id where o.id = %s",
            client.order_id,
        )
        session = self._stripe.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer_email": client.email,
                "metadata": {
                    "order_id": str(client.order_id),
                    "user_id": str(user_id),
                    "product_id": str(product_id),
                },
                "line_items": [
                    {
                        "price_data": {
                            "currency": currency.lower(),
                            "unit_amount": amount,
                            "product_data": {"name": name},
                        },
                        "quantity": 1,
                    }
                ],
                "success_url": f"{self._app_url}/payment/success?session_id={{CHECKOUT_SESSION_ID}}",
                "cancel_url": f"{self._app_url}/payment/cancelled",
            }
        )
        if session.url is None:
            raise LookupError(
                f"the Checkout Session {session.id} has no page; its status is {session.status}"
            )
        self._do(
            "update orders set stripe_checkout_session_id = %s where id = %s", session.id, client.order_id
        )
        return OpenCheckout(session.id, session.url)

    def with_dossiers(self, clients: Sequence[Client]) -> list[Client]:
        """Those of the clients whose payment has led to a dossier, with it."""
        rows = self._rows(
            "select id, dossier_id from orders where dossier_id is not null and id = any(%s)",
            [client.order_id for client in clients],
        )
        opened: dict[UUID, UUID] = dict(rows)
        return [
            replace(each, dossier_id=opened[each.order_id]) for each in clients if each.order_id in opened
        ]

    def is_suspended(self, client: Client) -> bool:
        """Whether the client's profile is SUSPENDED."""
        suspended: bool = self._row(
            "select status = 'SUSPENDED' from profiles where id = %s", client.user_id
        )[0]
        return suspended

    def set_back(self, client: Client, days: int) -> None:
        """Let the client's order be some days older than it is."""
        self._do(
            "update orders set created_at = created_at - make_interval(days => %s) where id = %s",
            days,
            client.order_id,
        )

    def payment_link(
        self, product: str, email: str, name: str | None = None, *, days: int = 30
    ) -> PaymentLink:
        """An admin makes a link for a prospect.

        Args:
            product: Its code.
            email: The prospect's.
            name: The prospect's, if it is known.
            days: Until it expires.
        """
        link_id, token = self._row(
            "insert into payment_links (token, product_id, prospect_email, prospect_name, expires_at)"
            " select generate_payment_link_token(), id, %s, %s, now() + make_interval(days => %s)"
            " from products where code = %s returning id, token",
            email,
            name,
            days,
            product,
        )
        return PaymentLink(link_id, token)

    def use_link(self, token: str, *, phone: str | None = None) -> tuple[Client, OpenCheckout]:
        """The prospect registers by the link, and is sent to pay.

        Raises:
            LookupError: There is no such link, or it was used, or it has expired.
        """
        link_id, email, name, product = self._row(
            "select l.id, l.prospect_email, coalesce(l.prospect_name, ''), p.code"
            " from payment_links l join products p on p.id = l.product_id"
            " where l.token = %s and l.used_at is null and (l.expires_at is null or l.expires_at > now())",
            token,
        )
        client = self.register(email, name, phone=phone, product=product)
        self._do("update orders set payment_link_id = %s where id = %s", link_id, client.order_id)
        self._do(
            "update payment_links set used_at = now(), used_by = %s where id = %s", client.user_id, link_id
        )
        return client, self.checkout(client)
