"""``fleet links``: lists without secrets; makes one with a reason, mails it, and prints it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from tests.notifications.pipeline import Clock, execute
from tests.notifications.prospects import PROSPECT, Prospects
from tests.workers.test_by_hand import rows
from tests.workers.test_settings import COMPLETE
from workers.cli import app as cli

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Client

WHY = ("--yes", "--why", "asked by phone", "--who", "dominique")


@pytest.fixture(autouse=True)
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in (COMPLETE | {"DATABASE_URL": database_url}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def fleet(*words: str) -> Result:
    return CliRunner().invoke(cli, ["links", *words])


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fleet(*words, "--json").stdout)
    return found


def refusal(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_a_link_is_said_first_and_then_made_mailed_and_recorded(application: sessionmaker[Session]) -> None:
    said = fleet("create", "LLC_FORMATION", PROSPECT)
    assert said.exit_code == 0, said.output
    assert f"LLC Formation, $999.00, for {PROSPECT}, until " in said.stdout
    assert "Nothing was done" in said.stdout
    assert rows(application, "select from payment_links") == []

    made = fleet("create", "LLC_FORMATION", PROSPECT, "--name", " Camille\n Exemple ", "--days", "7", *WHY)
    assert made.exit_code == 0, made.output
    (link,) = rows(application, "select * from payment_links")
    assert made.stdout.splitlines()[-1] == f"https://app.example.com/onboarding/{link.token}"
    assert re.search(f"Made as {link.id}. It is mailed", made.stdout)
    assert (link.prospect_name, link.expires_at - link.created_at) == ("Camille Exemple", timedelta(days=7))
    (letter,) = rows(application, "select * from fleet.letters join fleet.dispatch q on q.delivery_id = id")
    assert (letter.recipient, letter.status) == (PROSPECT, "PENDING")
    (record,) = rows(application, "select * from fleet.interventions")
    assert (record.action, record.subject, record.who) == ("links create", link.id, "dominique")
    assert record.details == {"product": "LLC_FORMATION", "days": 7}


def test_it_is_printed_for_programs_and_not_mailed_where_that_is_off(
    environment: pytest.MonkeyPatch, application: sessionmaker[Session]
) -> None:
    environment.setenv("FLEET_MAIL_PAYMENT_LINKS", "false")
    made = json.loads(fleet("create", "LLC_FORMATION", PROSPECT, *WHY, "--json").stdout)
    (link,) = rows(application, "select * from payment_links")
    assert (made["id"], made["email"], made["mailed"]) == (str(link.id), PROSPECT, False)
    assert made["url"].endswith(link.token)
    assert rows(application, "select from fleet.letters") == []
    planned = json.loads(fleet("create", "LLC_FORMATION", PROSPECT, "--json").stdout)
    assert (planned["id"], planned["url"]) == (None, None)


def test_what_cannot_be_made_is_said_with_its_mend(
    owner_url: str, application: sessionmaker[Session]
) -> None:
    no_reason = fleet("create", "LLC_FORMATION", PROSPECT, "--yes")
    assert (no_reason.exit_code, "Say why" in refusal(no_reason)) == (2, True)
    malformed = fleet("create", "LLC_FORMATION", "camille", *WHY)
    assert (malformed.exit_code, "is no e-mail address such as" in refusal(malformed)) == (2, True)
    unknown = fleet("create", "PIGEONS", PROSPECT, *WHY)
    assert (unknown.exit_code, "There is no product PIGEONS. On sale: " in refusal(unknown)) == (1, True)
    assert "LLC_FORMATION" in refusal(unknown)

    execute(owner_url, "update products set active = false where code = 'LLC_FORMATION'")
    try:
        off = fleet("create", "LLC_FORMATION", PROSPECT, *WHY)
    finally:
        execute(owner_url, "update products set active = true where code = 'LLC_FORMATION'")
    assert (off.exit_code, "is not on sale any more" in refusal(off)) == (1, True)

    execute(
        owner_url,
        "insert into fleet.suppressions (channel, address, reason, source)"
        f" values ('EMAIL', '{PROSPECT}', 'HARD_BOUNCE', 'sendgrid')",
    )
    suppressed = fleet("create", "LLC_FORMATION", PROSPECT.upper(), *WHY)
    assert suppressed.exit_code == 1
    assert "not to be written to: HARD_BOUNCE, since " in refusal(suppressed)
    assert rows(application, "select from payment_links") == []


def test_links_are_listed_by_what_became_of_them_without_their_secrets(
    client: Client, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    prospects = Prospects(sessions, application, Clock())
    long_ago = prospects.clock.now - timedelta(days=9)
    expired = prospects.link("last@example.com", made=long_ago, days=-1)
    used, ordered = prospects.link("used@example.com"), prospects.link("ordered@example.com", days=None)
    prospects.change(
        "update payment_links set used_at = now(), used_by = :who where id = :id", id=used, who=client.user_id
    )
    prospects.order(ordered, client.user_id)
    prospects.links.run(lambda: False)
    fleet("create", "LLC_FORMATION", PROSPECT, *WHY)

    assert {link["for"]: link["state"] for link in listed()} == {
        "c…@example.com": "OPEN",
        "u…@example.com": "USED",
        "o…@example.com": "USED",
        "l…@example.com": "EXPIRED",
    }
    (open_,) = listed("--state", "open")
    assert (open_["product"], open_["mailed"], open_["reminded"]) == ("LLC_FORMATION", "PENDING", None)
    (over,) = listed("--state", "expired")
    assert (over["id"], over["used_at"]) == (str(expired), None)
    assert {link["id"] for link in listed("--state", "used")} == {str(used), str(ordered)}
    assert len(listed("--limit", "2")) == 2
    shown = fleet().stdout
    assert PROSPECT not in shown
    tokens = [row.token for row in rows(application, "select token from payment_links")]
    assert [token for token in tokens if token in shown + json.dumps(listed())] == []
    assert fleet("--state", "lost").exit_code == 2
