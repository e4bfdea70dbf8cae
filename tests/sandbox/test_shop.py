"""The platform's application as it sells: sessions by Stripe's own SDK, and payment links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from db.engine import dsn
from workers.dev.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.databases import Database
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings


@pytest.fixture
def shop(module_database: Database, sandbox: SandboxClient, settings: SandboxSettings) -> Iterator[Shop]:
    environment = {
        "STRIPE_SECRET_KEY": settings.stripe_key,
        "STRIPE_BASE_URL": sandbox.base_url,
        "APP_URL": "http://localhost:3000/",
    }
    with Shop(module_database.owner_url, environment) as shop:
        yield shop


def row(database: Database, statement: str, *values: object) -> Any:
    with psycopg.connect(dsn(database.owner_url)) as connection:
        return connection.execute(statement.encode(), values).fetchone()


def test_a_session_asks_for_the_orders_price_and_names_the_order(
    shop: Shop, sandbox: SandboxClient, module_database: Database
) -> None:
    client = shop.register("camille@example.com", "Camille Exemple")
    first, second = shop.checkout(client), shop.checkout(client)
    session = sandbox.stripe_sessions(mark=str(client.order_id))[1]
    assert (session.id, session.url) == (second.session_id, second.url)
    assert (session.amount, session.currency) == (99_900, "usd")
    assert session.customer_email == client.email
    order = row(
        module_database,
        "select stripe_checkout_session_id, product_id::text from orders where id = %s",
        client.order_id,
    )
    assert order == (second.session_id, session.metadata["product_id"])
    assert session.metadata["user_id"] == str(client.user_id)
    assert session.success_url == f"http://localhost:3000/payment/success?session_id={session.id}"
    assert first.session_id != second.session_id


def test_a_payment_link_is_used_once_and_in_time(shop: Shop, module_database: Database) -> None:
    link = shop.payment_link("DUBAI_SETUP", "prospect@example.com", "Andrea Sample", days=7)
    assert len(link.token) == 32
    client, checkout = shop.use_link(link.token, phone="+33639980042")
    assert checkout.url.endswith(checkout.session_id)
    used = row(
        module_database,
        "select l.used_by, o.id, o.amount, p.full_name, p.phone,"
        " l.expires_at - l.created_at = interval '7 days'"
        " from payment_links l join orders o on o.payment_link_id = l.id join profiles p on p.id = o.user_id"
        " where l.id = %s and l.used_at is not null",
        link.id,
    )
    assert used == (client.user_id, client.order_id, 499_900, "Andrea Sample", "+33639980042", True)
    late = shop.payment_link("DUBAI_SETUP", "late@example.com")
    with psycopg.connect(dsn(module_database.owner_url)) as connection:
        connection.execute(
            "update payment_links set created_at = now() - interval '2 days',"
            " expires_at = now() - interval '1 day' where id = %s",
            [late.id],
        )
    for token in (link.token, late.token, "0" * 32):
        with pytest.raises(LookupError):
            shop.use_link(token)
    with pytest.raises(LookupError):
        shop.payment_link("NO_SUCH_PRODUCT", "prospect@example.com")
