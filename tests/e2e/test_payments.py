"""From a click on Stripe's page to an open dossier: real processes, and a sandbox whose webhooks get lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import urllib3

from workers.dev.shop import OpenCheckout, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Fleet
    from workers.dev.application import Client

pytestmark = pytest.mark.e2e


@pytest.fixture
def shop(fleet: Fleet) -> Iterator[Shop]:
    fleet.wait_reachable()
    with Shop(fleet.owner_url, fleet.stack.environment) as shop:
        yield shop


def _press(checkout: OpenCheckout, button: str) -> None:
    """Press a button of the checkout page, as a browser would."""
    answer = urllib3.request(
        "POST",
        checkout.url,
        body=f"do={button}",
        headers={"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"},
        redirect=False,
        retries=False,
    )
    assert answer.status == 303, answer.data


def _states(fleet: Fleet, client: Client) -> tuple[str, str]:
    found: tuple[str, str] = fleet.one(
        "select o.status::text, p.status::text from orders o join profiles p on p.id = o.user_id"
        " where o.id = %s",
        client.order_id,
    )
    return found


def _happened(fleet: Fleet, client: Client) -> list[str]:
    """The events of the client's order and dossier, by name."""
    return [
        name
        for (name,) in fleet.sql(
            "select e.event_type::text from events e join orders o on e.entity_id in (o.id, o.dossier_id)"
            " where o.id = %s order by 1",
            client.order_id,
        )
    ]


def _subjects(fleet: Fleet, client: Client) -> list[str]:
    return sorted(message.subject for message in fleet.messages(client.email))


def _register(fleet: Fleet, shop: Shop, name: str) -> tuple[Client, OpenCheckout]:
    client = shop.register(f"{name}@example.com", "Camille Exemple")
    checkout = shop.checkout(client)
    assert _states(fleet, client) == ("PENDING", "PENDING")
    return client, checkout


def _wait_for(fleet: Fleet, client: Client, *states: str) -> None:
    fleet.wait(lambda: _states(fleet, client) == states, f"an order and a profile {' and '.join(states)}")


def test_a_payment_opens_one_dossier_and_the_client_is_welcomed(fleet: Fleet, shop: Shop) -> None:
    client, checkout = _register(fleet, shop, "paying")
    _press(checkout, "pay")
    _wait_for(fleet, client, "PAID", "ACTIVE")
    fleet.wait(lambda: len(_subjects(fleet, client)) == 2, "the welcome and the receipt")
    fleet.wait_settled()

    assert _happened(fleet, client) == ["DOSSIER_CREATED", "PAYMENT_RECEIVED"]
    order = fleet.one("select to_jsonb(o) from orders o where id = %s", client.order_id)
    assert order["stripe_checkout_session_id"] == checkout.session_id
    assert order["stripe_payment_intent_id"].startswith("pi_")
    assert order["paid_at"] is not None
    dossier = fleet.one("select to_jsonb(d) from dossiers d where user_id = %s", client.user_id)
    assert dossier["id"] == order["dossier_id"]
    assert dossier["metadata"]["order_id"] == str(client.order_id)
    steps = fleet.sql(
        "select ps.position, si.started_at is not null, si.id = d.current_step_instance_id"
        " from step_instances si join dossiers d on d.id = si.dossier_id"
        " join product_steps ps on ps.product_id = d.product_id and ps.step_id = si.step_id"
        " where d.id = %s order by 1",
        dossier["id"],
    )
    assert steps == [(0, True, True), *((n, False, False) for n in range(1, len(steps)))]
    assert len(steps) == 5
    [welcome] = [m for m in fleet.messages(client.email) if m.subject.startswith("Bienvenue")]
    assert f"/dossiers/{dossier['id']}" in fleet.sandbox.message(welcome.id).text


def test_a_declined_client_can_pay_after_all(fleet: Fleet, shop: Shop) -> None:
    client, checkout = _register(fleet, shop, "declined")
    _press(checkout, "decline")
    _wait_for(fleet, client, "PENDING", "SUSPENDED")
    assert _happened(fleet, client) == ["PAYMENT_FAILED"]
    fleet.wait(lambda: len(_subjects(fleet, client)) == 1, "word of the failure")
    _press(checkout, "pay")
    _wait_for(fleet, client, "PAID", "ACTIVE")
    fleet.wait(lambda: len(_subjects(fleet, client)) == 3, "the welcome and the receipt")
    fleet.wait_settled()
    assert _happened(fleet, client) == ["DOSSIER_CREATED", "PAYMENT_FAILED", "PAYMENT_RECEIVED"]


def test_a_bank_debit_opens_the_dossier_when_the_money_is_there(fleet: Fleet, shop: Shop) -> None:
    client, checkout = _register(fleet, shop, "later")
    _press(checkout, "later")
    # Another client's payment, made afterwards, has been settled: the debit's webhook has been worked off.
    other, their_checkout = _register(fleet, shop, "sooner")
    _press(their_checkout, "pay")
    _wait_for(fleet, other, "PAID", "ACTIVE")
    assert _states(fleet, client) == ("PENDING", "PENDING")
    fleet.sandbox.finish_async(checkout.session_id)
    _wait_for(fleet, client, "PAID", "ACTIVE")
    fleet.wait_settled()
    assert _happened(fleet, client) == ["DOSSIER_CREATED", "PAYMENT_RECEIVED"]


def test_money_given_back_is_told_of(fleet: Fleet, shop: Shop) -> None:
    client, checkout = _register(fleet, shop, "refunded")
    _press(checkout, "pay")
    _wait_for(fleet, client, "PAID", "ACTIVE")
    fleet.wait(lambda: len(_subjects(fleet, client)) == 2, "the welcome and the receipt")
    told = _subjects(fleet, client)
    payment = fleet.one("select stripe_payment_intent_id from orders where id = %s", client.order_id)
    fleet.sandbox.refund(payment)
    _wait_for(fleet, client, "REFUNDED", "ACTIVE")
    fleet.wait(lambda: len(_subjects(fleet, client)) == 3, "word of the refund")
    fleet.wait_settled()
    [refund] = [m for m in fleet.messages(client.email) if m.subject not in told]
    assert "999" in fleet.sandbox.message(refund.id).text


def test_a_payment_link_leads_to_a_dossier_and_is_used_up(fleet: Fleet, shop: Shop) -> None:
    link = shop.payment_link("CORP_FORMATION", "prospect@example.com", "Camille Exemple")
    client, checkout = shop.use_link(link.token)
    with pytest.raises(LookupError):
        shop.use_link(link.token)
    _press(checkout, "pay")
    _wait_for(fleet, client, "PAID", "ACTIVE")
    assert fleet.one("select payment_link_id from orders where id = %s", client.order_id) == link.id
    assert fleet.one("select used_by from payment_links where id = %s", link.id) == client.user_id
    assert fleet.one("select type::text from dossiers where user_id = %s", client.user_id) == "CORP"


def test_an_approval_moves_the_dossier_on_within_five_seconds(fleet: Fleet, shop: Shop) -> None:
    client, checkout = _register(fleet, shop, "approved")
    _press(checkout, "pay")
    _wait_for(fleet, client, "PAID", "ACTIVE")
    dossier_id = fleet.one("select dossier_id from orders where id = %s", client.order_id)
    client = replace(client, dossier_id=dossier_id)
    # An adviser has ended the first step, which asks for no documents.
    shop.complete_step(client, "QUALIFICATION")
    fleet.sql(
        "with begun as ("
        "  update step_instances si set started_at = now() from steps s"
        "  where s.id = si.step_id and si.dossier_id = %s and s.code = 'DOCUMENT_COLLECTION' returning si.id)"
        " update dossiers d set current_step_instance_id = begun.id from begun where d.id = %s",
        dossier_id,
        dossier_id,
    )
    required = fleet.sql(
        "select t.code from document_types t join steps s on s.id = t.required_step_id"
        " where s.code = 'DOCUMENT_COLLECTION'"
    )
    for (code,) in required:
        shop.review(shop.upload(client, code), "APPROVED")

    def ended() -> bool:
        return fleet.sql(
            "select s.code from dossiers d join step_instances si on si.id = d.current_step_instance_id"
            " join steps s on s.id = si.step_id where d.id = %s",
            dossier_id,
        ) != [("DOCUMENT_COLLECTION",)]

    fleet.wait(ended, "the next step", seconds=5)
    fleet.wait_settled()
    assert _happened_to_steps(fleet, dossier_id) == ["STEP_COMPLETED", "STEP_COMPLETED", "STEP_STARTED"]


def _happened_to_steps(fleet: Fleet, dossier_id: object) -> list[str]:
    rows = fleet.sql(
        "select e.event_type::text from events e join step_instances si on si.id = e.entity_id"
        " where si.dossier_id = %s order by 1",
        dossier_id,
    )
    return [name for (name,) in rows]
