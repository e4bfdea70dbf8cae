"""A retry says beforehand where it goes, at the page and at the command line, without whole addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from services.notifications import authorship
from tests.notifications.pipeline import execute
from tests.workers.ops_desk import leaving, operator, published
from tests.workers.test_by_hand import _on_this_database, failed, fleet

if TYPE_CHECKING:
    from uuid import UUID

    from tests.workers.operators import Operator
    from workers.dev.application import Application, Client

__all__ = ["_on_this_database", "leaving", "operator", "published"]  # fixtures

NEW = "dominique@example.org"
SHOWN = "d…@example.org"


@pytest.fixture
def lost(app: Application, client: Client, owner_url: str) -> UUID:
    """A delivery that the fleet has addressed, and that has failed."""
    notification_id = app.notify(client, "Rendez-vous", "Votre conseiller vous attend.")
    delivery_id = authorship.first(notification_id, "EMAIL")
    execute(
        owner_url,
        "insert into notification_deliveries (id, notification_id, channel, recipient)"
        f" values ('{delivery_id}', '{notification_id}', 'EMAIL', '{client.email}')",
        f"update auth.users set email = '{NEW}'",
    )
    return failed(owner_url, delivery_id)


def test_the_page_names_the_address_and_the_mend(operator: Operator, lost: UUID, owner_url: str) -> None:
    operator.sign_in()
    page = operator.read(f"/do/retry?id={lost}")
    assert "To the address that the account has now, as new deliveries:" in page
    assert f"{lost} → {SHOWN}" in page
    assert NEW not in page
    operator.language = "fr"
    assert "À l’adresse que le compte a maintenant" in operator.read(f"/do/retry?id={lost}")
    operator.language = "en"

    execute(
        owner_url,
        "insert into fleet.suppressions (channel, address, reason, source)"
        f" values ('EMAIL', '{NEW}', 'HARD_BOUNCE', 'sendgrid')",
    )
    refused = operator.read(f"/do/retry?id={lost}")
    assert "There is nothing to do" in refused
    assert f"{lost}: the account's present address is suppressed (HARD_BOUNCE): mend it there" in refused
    execute(owner_url, "delete from fleet.suppressions")

    assert operator.do("retry", {"id": lost}).headers["Location"] == f"../story/{lost}?done=retry&count=1"
    story = operator.read(f"/story/{lost}")
    assert f"to the account's present address as {authorship.after(lost)}" in story
    assert SHOWN in story
    assert NEW not in story


def test_the_command_names_the_address(lost: UUID) -> None:
    said = fleet("retry", str(lost))
    assert f"{lost} goes to the account's present address, {SHOWN}" in said.stdout.replace("\n", " ")
    assert NEW not in said.stdout
    plan = json.loads(fleet("retry", str(lost), "--json").stdout)
    assert plan["moved"] == [{"delivery_id": str(lost), "address": SHOWN}]
    done = json.loads(fleet("retry", str(lost), "--yes", "--why", "mended", "--json").stdout)
    assert done["retried"] == []
    assert [each["sent_as"] for each in done["anew"]] == [str(authorship.after(lost))]
    assert "another delivery has taken its place" in fleet("retry", str(lost)).stdout
