"""Which approvals are queued: by the trigger, which never fails the application, or by the sweep after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text

from db.engine import dsn
from db.queries import advances
from tests.notifications.test_triggers import unusable, warnings

if TYPE_CHECKING:
    from tests.dossiers.casework import Casework
    from workers.dev.application import Application

BOTH = ("PASSPORT", "PROOF_ADDRESS")


def sweep(work: Casework, *manual_products: str) -> int:
    now = work.clock.now
    return work.advancing(*manual_products).sweep(now - timedelta(days=1), now + timedelta(minutes=5))


def test_an_approval_is_queued_and_nothing_else_of_a_document_is(work: Casework) -> None:
    client = work.client()
    document_id = work.app.upload(client, "PASSPORT")
    work.app.review(document_id, "REJECTED")
    assert work.queued() == 0
    work.app.review(document_id, "APPROVED")
    assert work.rows("select dossier_id, tries from fleet.advances") == [(client.dossier_id, 0)]
    work.change("delete from fleet.advances")
    work.change("update documents set updated_at = now()")
    assert work.queued() == 0


def test_a_document_that_is_inserted_as_approved_is_queued(work: Casework) -> None:
    client = work.client()
    work.change(
        "insert into documents (dossier_id, document_type_id, status)"
        " select :id, id, 'APPROVED' from document_types where code = any(:codes)",
        id=client.dossier_id,
        codes=list(BOTH),
    )
    assert work.advance() == 1
    assert len(work.happened(client)) == 2


def test_an_approval_wakes_whoever_listens(work: Casework, database_url: str) -> None:
    client = work.client()
    document_id = work.app.upload(client, "PASSPORT")
    with psycopg.connect(dsn(database_url), autocommit=True) as connection:
        connection.execute("listen fleet")
        work.app.review(document_id, "APPROVED")
        heard = {notify.payload for notify in connection.notifies(timeout=10, stop_after=2)}
    assert heard == {"advances", "fanout"}


def test_a_document_is_approved_though_the_queue_is_unusable_and_found_afterwards(
    work: Casework, app: Application, owner_url: str
) -> None:
    client = work.client()
    heard = warnings(app)
    with unusable(owner_url, "advances"):
        work.approve(client, *BOTH)
    told = [message for message in heard if f"dossier {client.dossier_id} was not enqueued" in message]
    assert len(told) == 2
    assert work.rows("select status::text from documents") == [("APPROVED",)] * 2
    assert work.queued() == 0

    assert sweep(work, "LLC_FORMATION") == 0
    assert (sweep(work), sweep(work)) == (1, 0)
    work.advance()
    assert len(work.happened(client)) == 2
    assert sweep(work) == 0


def test_the_sweep_takes_up_only_what_would_go_on(work: Casework, owner_url: str) -> None:
    closed, halfway, early = work.client(), work.client(), work.client("QUALIFICATION")
    with unusable(owner_url, "advances"):
        work.approve(closed, *BOTH)
        work.approve(halfway, "PASSPORT")
        work.approve(early, *BOTH)
    work.change("update dossiers set status = 'CLOSED' where id = :id", id=closed.dossier_id)
    assert sweep(work) == 0


def test_the_sweep_leaves_alone_what_is_parked_too_old_or_too_young(work: Casework, owner_url: str) -> None:
    client = work.client()
    with unusable(owner_url, "advances"):
        work.approve(client, *BOTH)
    now, day = work.clock.now, timedelta(days=1)
    assert work.advancing().sweep(now - day, now - timedelta(minutes=5)) == 0
    assert work.advancing().sweep(now + timedelta(minutes=5), now + day) == 0
    work.change(
        "insert into fleet.advances (dossier_id, parked_at) values (:id, now())", id=client.dossier_id
    )
    assert sweep(work) == 0
    assert work.advance() == 0


def test_the_sweep_reads_a_span_of_time_by_an_index(work: Casework) -> None:
    values = {"since": work.clock.now, "before": work.clock.now, "manual": [], "ended": []}
    with work.sessions.begin() as session:
        session.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(session.scalars(text(f"explain {advances._ENQUEUE_MISSED.text}"), values))
    assert "idx_events_created_at" in plan
