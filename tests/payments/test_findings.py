"""Findings are kept once, brought up to date when seen again, and resolved by people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from db.queries import findings as rows
from services.payments import findings
from services.payments.words import FindingKind
from tests.payments.till import NOW

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

LATER = NOW + timedelta(hours=1)


def test_seen_again_it_is_brought_up_to_date(sessions: sessionmaker[Session]) -> None:
    subject, order_id = f"pi_{uuid4().hex}", uuid4()
    kind = FindingKind.SECOND_PAYMENT
    with sessions.begin() as session:
        assert findings.find(session, kind, subject, {"refunded": 0}, "nothing", NOW, order_id)
        assert not findings.find(session, kind, subject, {"refunded": 5}, "given back", LATER)
        # An answer that was asked for earlier and comes later.
        assert not findings.find(session, kind, subject, {"refunded": 5}, "given back", NOW)
        found = rows.about(session, kind, subject)

    assert found is not None
    assert (found.details, found.done, found.order_id) == ({"refunded": 5}, "given back", order_id)
    assert (found.found_at, found.seen_at) == (NOW, LATER)


def test_resolved_it_stays_resolved(sessions: sessionmaker[Session]) -> None:
    subject, kind = f"cs_{uuid4().hex}", FindingKind.AMOUNT_MISMATCH
    with sessions.begin() as session:
        findings.find(session, kind, subject, {}, "nothing", NOW)
        found = rows.about(session, kind, subject)
        assert found is not None
        assert rows.resolve(session, found.id, "camille", "given back by hand", LATER)
        assert not rows.resolve(session, found.id, "dominique", "again", LATER)
        findings.find(session, kind, subject, {}, "nothing", LATER)

        again = rows.one(session, found.id)

    assert again is not None
    assert (again.resolved_at, again.resolved_by, again.note) == (LATER, "camille", "given back by hand")


def test_they_are_listed_by_kind_the_open_ones_alone_or_all(sessions: sessionmaker[Session]) -> None:
    kind = FindingKind.ORDER_UNKNOWN
    subjects = [f"cs_{uuid4().hex}" for _ in range(3)]
    with sessions.begin() as session:
        for hour, subject in enumerate(subjects):
            findings.find(session, kind, subject, {}, "nothing", NOW + timedelta(days=9, hours=hour))
        first = rows.about(session, kind, subjects[0])
        assert first is not None
        rows.resolve(session, first.id, "camille", "a test", LATER)

        unresolved = [row.subject for row in rows.listing(session, open_only=True, kind=kind, limit=2)]
        everything = [row.subject for row in rows.listing(session, open_only=False, kind=kind, limit=3)]
        others = rows.listing(session, open_only=False, kind=FindingKind.DISPUTE, limit=1000)

    assert unresolved == subjects[:0:-1]
    assert everything == subjects[::-1]
    assert not {row.subject for row in others} & set(subjects)
    with sessions() as session:
        assert rows.one(session, uuid4()) is None
