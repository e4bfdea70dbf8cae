"""Payment links are mailed once, reminded of once, and closed once they have run out unused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from db.engine import dsn
from db.queries import payment_links
from db.queries.interventions import By
from services.notifications.template_codes import Template
from services.payments.links import BATCH, RefusedError, address
from tests.databases import platform
from tests.notifications.one_database import clone, empty
from tests.notifications.pipeline import Clock, never, side_by_side
from tests.notifications.prospects import PROSPECT, REMINDER_DAYS, Prospects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database

BY = By("dominique", "asked by phone")


@pytest.fixture(scope="module")
def _one_database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def database(_one_database: Database) -> Database:
    """The same for all of these tests, emptied for each."""
    empty(_one_database)
    return _one_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def prospects(sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock) -> Prospects:
    return Prospects(sessions, application, clock)


@pytest.fixture
def user_id(owner_url: str) -> UUID:
    """Somebody who has registered."""
    with platform(owner_url) as application:
        return application.register("dominique@example.com", "Dominique Exemple").user_id


def sent(prospects: Prospects) -> None:
    """All letters have gone out."""
    prospects.change(
        "update fleet.letters set status = 'SENT', sent_at = :now where status = 'PENDING'",
        now=prospects.clock.now,
    )


def test_a_new_link_is_mailed_once(
    prospects: Prospects, clock: Clock, owner_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    link_id = prospects.link(f" {PROSPECT} ")
    with psycopg.connect(dsn(owner_url), autocommit=True) as listening:
        listening.execute("listen fleet")
        assert [prospects.links.run(never) for _ in range(2)] == [1, 0]
        (woken,) = listening.notifies(timeout=10, stop_after=1)
    assert woken.payload == "email"
    link, letter = prospects.row(link_id), prospects.letter(link_id)
    assert (letter.template_code, letter.recipient) == ("PAYMENT_LINK", PROSPECT)
    assert (letter.recipient_name, letter.locale, letter.created_at) == ("Camille Exemple", None, clock.now)
    assert letter.action_url == f"/onboarding/{link.token}"
    assert letter.payload == {
        "product": "LLC Formation",
        "amount": 99900,
        "currency": "USD",
        "expires_on": f"{link.expires_at:%Y-%m-%d}",
    }
    with prospects.application() as session:
        queued = session.execute(text("select delivery_id, channel from fleet.dispatch")).all()
    assert queued == [(letter.id, "EMAIL")]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "1 payment links mailed" in said
    assert link.token not in said


def test_two_at_once_mail_each_link_once(prospects: Prospects) -> None:
    links = [prospects.link(f"prospect{number}@example.com") for number in range(20)]
    with side_by_side(*[lambda: prospects.links.run(never)] * 3):
        pass
    prospects.links.run(never)
    assert sorted(letter.payment_link_id for letter in prospects.letters()) == sorted(links)
    with prospects.application() as session:
        assert session.scalar(text("select count(*) from fleet.dispatch")) == len(links)


def test_what_is_past_used_or_without_an_address_is_not_mailed(prospects: Prospects, user_id: UUID) -> None:
    with prospects.application() as session:
        installed_at = session.scalar(text("select installed_at from fleet.installation"))
    prospects.link(made=installed_at - timedelta(seconds=1))
    prospects.link("[erased]")
    used, ordered, unnamed = prospects.link(), prospects.link(), prospects.link(name=None, days=None)
    prospects.change("update payment_links set used_at = now() where id = :id", id=used)
    prospects.order(ordered, user_id)
    assert prospects.links.run(never) == 1
    letter = prospects.letter(unnamed)
    assert (letter.recipient_name, "expires_on" in letter.payload) == (None, False)
    assert len(prospects.letters()) == 1


def test_where_the_platform_mails_links_itself_the_fleet_only_closes_them(
    prospects: Prospects, clock: Clock
) -> None:
    prospects.link()
    over = prospects.link(days=1)
    clock.forward(2 * 86400)
    assert prospects.without_mail().run(never) == 1
    assert prospects.letters() == []
    assert prospects.row(over).used_at is not None


def test_a_reminder_comes_once_before_the_end(prospects: Prospects, clock: Clock) -> None:
    link_id = prospects.link(days=10)
    prospects.links.run(never)
    sent(prospects)
    clock.forward((10 - REMINDER_DAYS) * 86400 - 1)
    assert prospects.links.run(never) == 0
    clock.forward(1)
    assert [prospects.links.run(never) for _ in range(2)] == [1, 0]
    first, second = prospects.letters(link_id)
    assert (first.template_code, second.template_code) == ("PAYMENT_LINK", "PAYMENT_LINK_REMINDER")
    assert (second.recipient, second.action_url) == (first.recipient, first.action_url)
    assert second.payload == first.payload
    sent(prospects)
    clock.forward(86400)
    assert prospects.links.run(never) == 0


def test_who_was_written_to_a_moment_ago_is_not_reminded(prospects: Prospects, clock: Clock) -> None:
    prospects.link(days=2)
    prospects.links.run(never)
    sent(prospects)
    clock.forward(86399)
    assert prospects.links.run(never) == 0
    clock.forward(1)
    assert prospects.links.run(never) == 1


@pytest.mark.parametrize("status", ["PENDING", "FAILED", "BOUNCED"])
def test_who_has_not_got_the_letter_is_not_reminded_of_it(
    prospects: Prospects, clock: Clock, status: str
) -> None:
    prospects.link(days=2)
    prospects.links.run(never)
    sent(prospects)
    prospects.change("update fleet.letters set status = :status", status=status)
    clock.forward(86400)
    assert prospects.links.run(never) == 0


def test_who_has_used_the_link_is_not_reminded(prospects: Prospects, clock: Clock, user_id: UUID) -> None:
    used, ordered = prospects.link(days=2), prospects.link(days=2)
    prospects.links.run(never)
    sent(prospects)
    prospects.change("update payment_links set used_at = now() where id = :id", id=used)
    prospects.order(ordered, user_id)
    clock.forward(86400)
    assert prospects.links.run(never) == 0


def test_a_link_that_ran_out_unused_is_closed_once(prospects: Prospects, clock: Clock, user_id: UUID) -> None:
    over, ordered, still = prospects.link(days=1), prospects.link(days=1), prospects.link(days=None)
    prospects.order(ordered, user_id)
    clock.forward(86400)
    links = prospects.without_mail()
    assert [links.run(never) for _ in range(2)] == [1, 0]
    closed = prospects.row(over)
    assert (closed.used_at, closed.used_by) == (closed.expires_at, None)
    assert prospects.row(ordered).used_at is None
    assert prospects.row(still).used_at is None
    with prospects.sessions() as session:
        states = {link.id: link.state for link in payment_links.listing(session, None, 10, clock.now)}
    assert states == {over: "EXPIRED", ordered: "USED", still: "OPEN"}


def test_a_link_that_is_being_used_is_left_to_whoever_uses_it(prospects: Prospects, clock: Clock) -> None:
    link_id = prospects.link(days=1)
    clock.forward(86400)
    links = prospects.without_mail()
    with prospects.application.begin() as session:
        session.execute(text("update payment_links set used_at = now() where id = :id"), {"id": link_id})
        assert links.run(never) == 0
    assert links.run(never) == 0
    assert prospects.row(link_id).used_at != prospects.row(link_id).expires_at


def test_many_are_worked_off_in_batches_until_it_is_to_stop(prospects: Prospects) -> None:
    prospects.change(
        "insert into payment_links (token, product_id, prospect_email)"
        " select 'made-up-payment-token-' || n, id, 'prospect' || n || '@example.com'"
        " from products, generate_series(1, :count) n where code = 'LLC_FORMATION'",
        count=2 * BATCH + 1,
    )
    answers = iter([False, False, True])
    assert prospects.links.run(lambda: next(answers, True)) == BATCH
    assert prospects.links.run(never) == BATCH + 1


def test_a_link_is_offered_by_hand(prospects: Prospects, clock: Clock) -> None:
    planned = prospects.links.offer("LLC_FORMATION", PROSPECT, None, 7, None)
    assert (planned.link_id, planned.page, planned.mailed) == (None, None, True)
    made = prospects.links.offer("LLC_FORMATION", PROSPECT, "Camille Exemple", 7, BY)
    assert made.link_id is not None
    link = prospects.row(made.link_id)
    assert len(link.token) == 32
    assert made.page == f"/onboarding/{link.token}"
    assert (link.prospect_email, link.prospect_name, link.created_by) == (PROSPECT, "Camille Exemple", None)
    assert (link.created_at, link.expires_at) == (clock.now, clock.now + timedelta(days=7))
    assert prospects.letter(made.link_id).action_url == made.page
    unmailed = prospects.without_mail().offer("LLC_FORMATION", PROSPECT, None, 7, BY)
    assert unmailed.link_id is not None
    assert (unmailed.mailed, prospects.letters(unmailed.link_id)) == (False, [])
    with prospects.application() as session:
        records = session.execute(text("select * from fleet.interventions order by at")).all()
    assert [(row.subject, row.action) for row in records] == [
        (made.link_id, "links create"),
        (unmailed.link_id, "links create"),
    ]
    assert PROSPECT not in str(records)
    assert link.token not in str(records)


def test_a_refused_offer_leaves_nothing(prospects: Prospects) -> None:
    with pytest.raises(RefusedError, match="On sale: "):
        prospects.links.offer("PIGEONS", PROSPECT, None, 7, BY)
    with prospects.application() as session:
        for table in ("payment_links", "fleet.letters", "fleet.interventions"):
            assert session.scalar(text(f"select count(*) from {table}")) == 0


def test_addresses_are_told_from_what_is_none() -> None:
    assert address(" Camille+x@mail.example.com ") == "Camille+x@mail.example.com"
    long = f"{'a' * 64}@{'b' * 190}.example.com"
    for given in ("camille", "@example.com", "a b@example.com", "a@b", "a@b.", "<a@example.com>", long, ""):
        with pytest.raises(ValueError, match="is no e-mail address"):
            address(given)


def test_its_letters_have_words() -> None:
    assert {payment_links.MAILED, payment_links.REMINDED} <= set(Template)
