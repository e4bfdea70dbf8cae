"""A disputed payment is a finding and an alert, and its end is written on it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from providers.payments import Dispute
from services.payments.applying import Applied, Outcome, apply_dispute
from tests.payments.till import NOW, PRICE, Till, opened, paid

if TYPE_CHECKING:
    from typing import Any

    from workers.dev.application import Client


def take(till: Till, dispute: Dispute) -> Applied:
    with till.sessions.begin() as session:
        return apply_dispute(session, dispute, NOW)


def found(till: Till, dispute: Dispute) -> list[Any]:
    return till.rows("select * from fleet.findings where subject = :id", id=dispute.dispute_id)


@pytest.fixture
def client(till: Till) -> Client:
    return till.register()


@pytest.fixture
def dispute(till: Till, client: Client) -> Dispute:
    checkout = paid(opened(client))
    till.take(checkout)
    assert checkout.payment is not None
    return Dispute(
        dispute_id=f"du_{uuid4().hex}",
        status="needs_response",
        reason="fraudulent",
        amount=PRICE,
        currency="usd",
        payment_id=checkout.payment.payment_id,
    )


def test_a_dispute_is_found_and_cried_out(
    till: Till, client: Client, dispute: Dispute, caplog: pytest.LogCaptureFixture
) -> None:
    applied = take(till, dispute)

    assert applied == Applied(Outcome.DISPUTED, client.order_id, "needs_response")
    (finding,) = found(till, dispute)
    assert (finding.kind, finding.order_id, finding.resolved_at) == ("DISPUTE", client.order_id, None)
    assert finding.details == {
        "status": "needs_response",
        "reason": "fraudulent",
        "amount": PRICE,
        "currency": "usd",
        "payment_intent": dispute.payment_id,
    }
    (cry,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert dispute.dispute_id in cry.getMessage()
    assert str(client.order_id) in cry.getMessage()
    assert till.standing(client).order == "PAID"
    (row,) = till.rows("select disputed from fleet.payments where order_id = :id", id=client.order_id)
    assert row.disputed


@pytest.mark.parametrize("end", ["won", "lost", "warning_closed", "prevented"])
@pytest.mark.parametrize("told_first", ["opening", "end"])
def test_its_end_is_written_on_it(till: Till, dispute: Dispute, end: str, told_first: str) -> None:
    closed = replace(dispute, status=end)
    said = [dispute, closed] if told_first == "opening" else [closed, dispute]

    for each in (*said, *said):
        take(till, each)

    (finding,) = found(till, dispute)
    assert (finding.done, finding.details["status"]) == (f"closed: {end}", end)


def test_an_appeal_opens_it_again(till: Till, dispute: Dispute) -> None:
    for status in ("lost", "appeal_under_review"):
        take(till, replace(dispute, status=status))

    assert found(till, dispute)[0].details["status"] == "appeal_under_review"


@pytest.mark.parametrize("known_by", ["order", "settlement"])
def test_a_payment_is_known_by_its_order_too(
    till: Till, client: Client, dispute: Dispute, known_by: str
) -> None:
    till.change("delete from fleet.payments where order_id = :id", id=client.order_id)
    if known_by == "order":
        till.change("delete from fleet.settlements where order_id = :id", id=client.order_id)
    else:
        till.set_order(client, stripe_payment_intent_id=None)

    assert take(till, dispute).order_id == client.order_id


@pytest.mark.parametrize("payment_id", [None, "pi_of_another_product"])
def test_a_payment_of_no_order_is_none_of_ours(till: Till, dispute: Dispute, payment_id: str | None) -> None:
    assert take(till, replace(dispute, payment_id=payment_id)).outcome == Outcome.FOREIGN
    assert found(till, dispute) == []
