"""``fleet remind``, against the sandbox's Stripe: said first, sent, refused with the reason, or forced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.notifications.pipeline import execute
from tests.workers.test_by_hand import fleet, rows
from tests.workers.test_reconcile_command import shop, stripe

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.shop import Shop

__all__ = ["shop", "stripe"]  # fixtures

WHY = ("--why", "asked by [phone]", "--who", "dominique")


@pytest.fixture
def lapsed(shop: Shop, owner_url: str) -> Client:
    """Suspended, with an order to pay and its checkout open."""
    client = shop.register("camille@example.com", "Camille Exemple")
    shop.checkout(client)
    execute(owner_url, "update profiles set status = 'SUSPENDED'")
    return client


def said(*words: str) -> tuple[int, str]:
    done = fleet("remind", *words)
    return done.exit_code, " ".join((done.stdout + done.stderr).split())


def reminded(application: sessionmaker[Session]) -> list[Any]:
    return rows(application, "select * from fleet.reminders order by number")


def test_it_is_said_first_and_then_sent_and_recorded(
    lapsed: Client, stripe: SandboxClient, application: sessionmaker[Session]
) -> None:
    order = ("--order", str(lapsed.order_id))
    calls = stripe.stripe_calls()
    code, told = said(*order, "--dry-run")
    assert (code, stripe.stripe_calls()) == (0, calls)
    assert told == (
        f"Nothing was done. It would be reminder 1 of order {lapsed.order_id}: LLC Formation, $999.00."
    )
    assert (reminded(application), rows(application, "select from fleet.interventions")) == ([], [])

    assert said(*order)[0] == 2, "nobody says why"
    code, told = said(*order, *WHY)
    assert (code, told.startswith("Sent reminder 1 of order")) == (0, True)
    (one,) = reminded(application)
    assert (one.state, one.number, one.forced_by, one.user_id) == ("SENT", 1, None, lapsed.user_id)
    (record,) = rows(application, "select * from fleet.interventions")
    assert (record.action, record.subject, record.who) == ("remind", lapsed.order_id, "dominique")
    (notice,) = rows(application, "select * from fleet.notices")
    assert notice.action_url == f"https://fleet.example.com/r/{one.token}"
    assert [each.status for each in stripe.stripe_sessions()] == ["expired", "open"]


def test_what_is_too_soon_is_refused_unless_it_is_forced(
    lapsed: Client, application: sessionmaker[Session]
) -> None:
    order = ("--order", str(lapsed.order_id))
    said(*order, *WHY)
    for words in (("--dry-run",), WHY):
        code, told = said(*order, *words)
        assert (code, "0 hours ago" in told, "--force sends it all the same." in told) == (1, True, True)
    code, told = said(*order, "--force", *WHY)
    assert (code, "Forced against: TOO_SOON, RESTING." in told) == (0, True)
    first, second = reminded(application)
    assert (first.forced_by, second.state) == (None, "SENT")
    assert (second.forced_by, second.forced_why) == ("dominique", "asked by [phone]")
    assert "dominique: asked by" in " ".join(fleet("reminders", str(lapsed.order_id)).stdout.split())


def test_nobody_can_force_what_does_not_wait_to_be_paid(
    lapsed: Client, owner_url: str, stripe: SandboxClient, application: sessionmaker[Session]
) -> None:
    stripe.pay(stripe.stripe_sessions()[0].id)
    code, told = said("--order", str(lapsed.order_id), *WHY)
    assert (code, told.startswith("Not sent, paid: reminder 1")) == (1, True), "Stripe has known it"
    assert [one.state for one in reminded(application)] == ["SKIPPED"]
    execute(owner_url, "update orders set status = 'CANCELLED'")
    code, told = said("--order", str(lapsed.order_id), "--force", *WHY)
    assert (code, "the order is CANCELLED" in told, "--force sends" in told) == (1, True, False)


def test_a_person_is_reminded_of_the_oldest_order(lapsed: Client, owner_url: str) -> None:
    execute(
        owner_url,
        "insert into orders (user_id, product_id, amount, currency, created_at)"
        " select user_id, product_id, 5000, 'JPY', now() - interval '9 days'"
        f" from orders where id = '{lapsed.order_id}'",
    )
    found = fleet("remind", "--user", str(lapsed.user_id), "--dry-run", "--json")
    told = json.loads(found.stdout)
    assert (told["dry_run"], told["result"], told["reminder"]["amount"]) == (True, None, 5000)
    assert "¥5,000" in said("--user", str(lapsed.user_id), *WHY)[1]


def test_what_cannot_be_asked_for_is_said(lapsed: Client) -> None:
    order, user = ("--order", str(lapsed.order_id)), ("--user", str(lapsed.user_id))
    assert [said(*words, *WHY)[0] for words in ((), (*order, *user), ("--order", "x"))] == [2, 2, 2]
    for what in ("--order", "--user"):
        code, told = said(what, str(uuid4()), *WHY)
        assert (code, "is not reminded of: " in told) == (1, True)


def test_while_stripe_is_away_it_stays_claimed(
    lapsed: Client, monkeypatch: pytest.MonkeyPatch, application: sessionmaker[Session]
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_of_another_account")
    code, told = said("--order", str(lapsed.order_id), *WHY)
    assert (code, "Not sent yet (http_401), a worker sends it" in told) == (3, True)
    assert [one.state for one in reminded(application)] == ["CLAIMED"]
