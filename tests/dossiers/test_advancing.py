"""A dossier goes on when all documents that its step requires are approved, once, and the client is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from db.engine import dsn
from db.queries import advances
from tests.notifications.pipeline import JITTER, POLICY, never
from tests.notifications.test_fanout import refusing
from tests.waiting import wait_for
from workers.dev.application import Application

if TYPE_CHECKING:
    from uuid import UUID

    from tests.dossiers.casework import Casework
    from workers.dev.application import Client

BOTH = ("PASSPORT", "PROOF_ADDRESS")
ADVANCED = [("STEP_COMPLETED", "DOCUMENT_COLLECTION"), ("STEP_STARTED", "FORM_SUBMISSION")]
GONE_ON = {
    "QUALIFICATION": "completed",
    "DOCUMENT_COLLECTION": "completed",
    "FORM_SUBMISSION": "started, current",
    "PROCESSING": "open",
    "COMPLETION": "open",
}


def test_the_last_approval_completes_the_step_starts_the_next_and_tells_the_client(work: Casework) -> None:
    client = work.client()
    work.approve(client, *BOTH)
    assert work.advance() == 1
    assert work.steps(client) == GONE_ON
    assert work.happened(client) == ADVANCED
    ended, begun = work.instance(client, "DOCUMENT_COLLECTION"), work.instance(client, "FORM_SUBMISSION")
    assert work.rows("select completed_at from step_instances where id = :id", id=ended) == [
        (work.clock.now,)
    ]
    assert work.rows("select started_at from step_instances where id = :id", id=begun) == [(work.clock.now,)]
    assert work.rows("select * from fleet.step_completions") == [(ended, client.dossier_id, work.clock.now)]
    (payload,) = work.rows("select payload from events where event_type = 'STEP_COMPLETED'")
    step_id = work.scalar("select step_id from step_instances where id = :id", id=ended)
    assert payload[0] == {
        "dossier_id": str(client.dossier_id),
        "step_id": str(step_id),
        "step_instance_id": str(ended),
    }
    assert work.queued() == 0

    assert work.tell().count("STEP_COMPLETED") == 1
    (told,) = work.rows("select * from notifications where template_code = 'STEP_COMPLETED'")
    assert told.user_id == client.user_id
    assert "Collecte des documents" in told.message
    assert "Dépôt du formulaire" in told.message


def test_nothing_happens_before_all_are_approved(work: Casework) -> None:
    client = work.client()
    before = work.steps(client)
    work.approve(client, "PASSPORT")
    work.app.upload(client, "PROOF_ADDRESS")
    assert work.advance() == 1
    assert (work.steps(client), work.happened(client), work.queued()) == (before, [], 0)


def test_a_rejected_document_counts_when_its_new_version_is_approved(work: Casework) -> None:
    client = work.client()
    work.approve(client, "PASSPORT")
    proof = work.app.upload(client, "PROOF_ADDRESS")
    work.app.review(proof, "REJECTED", "illisible")
    work.advance()
    assert work.happened(client) == []
    work.change("update documents set status = 'PENDING' where id = :id", id=proof)
    work.advance()
    assert work.happened(client) == []
    work.app.review(proof, "APPROVED")
    work.advance()
    assert work.happened(client) == ADVANCED


def test_documents_of_the_step_count_and_those_of_another_do_not(work: Casework) -> None:
    client = work.client()
    work.approve(client, *BOTH)
    elsewhere, here = work.instance(client, "QUALIFICATION"), work.instance(client, "DOCUMENT_COLLECTION")
    passport = (
        "update documents set step_instance_id = :id where document_type_id in"
        " (select id from document_types where code = 'PASSPORT')"
    )
    work.change(passport, id=elsewhere)
    work.advance()
    assert work.happened(client) == []
    work.change(passport, id=here)
    work.change("update documents set status = 'APPROVED'")
    work.advance()
    assert work.happened(client) == ADVANCED


def test_another_dossiers_documents_do_not_count(work: Casework) -> None:
    client, other = work.client(), work.client()
    work.approve(client, "PASSPORT")
    work.approve(other, "PROOF_ADDRESS")
    assert work.advance() == 2
    assert work.happened(client) == work.happened(other) == []


def test_after_the_last_step_the_dossier_is_completed_and_the_client_congratulated(work: Casework) -> None:
    work.require("DEED", "COMPLETION")
    client = work.client("COMPLETION")
    work.approve(client, "TEST_DEED")
    work.clock.forward(60)
    work.advance()
    assert work.steps(client)["COMPLETION"] == "completed, current"
    assert work.happened(client) == [("STEP_COMPLETED", "COMPLETION")]
    (dossier,) = work.rows(
        "select status::text, completed_at from dossiers where id = :id", id=client.dossier_id
    )
    assert dossier == ("COMPLETED", work.clock.now)
    assert work.rows(
        "select new_status::text from dossier_status_history where dossier_id = :id", id=client.dossier_id
    ) == [("COMPLETED",)]
    assert {"DOSSIER_COMPLETED", "STEP_COMPLETED"} <= set(work.tell())
    work.change("update documents set status = 'APPROVED'")
    work.advance()
    assert work.happened(client) == [("STEP_COMPLETED", "COMPLETION")]


def test_steps_whose_documents_were_approved_before_end_with_it(work: Casework) -> None:
    work.require("FORM", "FORM_SUBMISSION")
    client = work.client()
    work.approve(client, "TEST_FORM", *BOTH)
    work.advance()
    assert work.happened(client) == [
        *ADVANCED,
        ("STEP_COMPLETED", "FORM_SUBMISSION"),
        ("STEP_STARTED", "PROCESSING"),
    ]
    assert work.steps(client)["PROCESSING"] == "started, current"
    assert work.tell().count("STEP_COMPLETED") == 2


def test_a_step_without_required_documents_waits_for_a_person(work: Casework) -> None:
    client = work.client("QUALIFICATION")
    before = work.steps(client)
    work.approve(client, *BOTH)
    work.advance()
    assert (work.steps(client), work.happened(client)) == (before, [])


def test_the_next_step_is_one_that_nobody_has_completed_and_is_made_if_it_is_missing(work: Casework) -> None:
    client = work.client()
    work.app.complete_step(client, "FORM_SUBMISSION")
    work.change("delete from events")
    work.change("delete from step_instances where id = :id", id=work.instance(client, "PROCESSING"))
    work.approve(client, *BOTH)
    work.advance()
    assert work.happened(client) == [ADVANCED[0], ("STEP_STARTED", "PROCESSING")]
    assert work.steps(client)["PROCESSING"] == "started, current"


def test_a_next_step_that_was_started_before_is_made_current_and_not_started_again(work: Casework) -> None:
    client = work.client()
    started = "select started_at from step_instances where id = :id"
    ahead = work.instance(client, "FORM_SUBMISSION")
    work.change("update step_instances set started_at = now() where id = :id", id=ahead)
    before = work.scalar(started, id=ahead)
    work.approve(client, *BOTH)
    work.advance()
    assert work.happened(client) == ADVANCED[:1]
    assert work.steps(client) == GONE_ON
    assert work.scalar(started, id=ahead) == before


@pytest.mark.parametrize(
    "change",
    [
        "update dossiers set status = 'CLOSED'",
        "update dossiers set status = 'ERROR'",
        "update dossiers set status = 'COMPLETED'",
        "update dossiers set product_id = null",
        "update dossiers set current_step_instance_id = null",
        "update step_instances set started_at = null where completed_at is null",
        "update step_instances set completed_at = now() where started_at is not null",
    ],
    ids=["closed", "in error", "completed", "no product", "no current step", "not started", "by hand before"],
)
def test_a_dossier_that_does_not_go_by_itself_is_left_alone(work: Casework, change: str) -> None:
    client = work.client()
    work.change(change)
    before = work.steps(client)
    work.approve(client, *BOTH)
    assert work.advance() == 1
    assert (work.steps(client), work.happened(client), work.queued()) == (before, [], 0)


def test_dossiers_of_some_products_go_on_by_hand_alone(work: Casework) -> None:
    client = work.client()
    work.approve(client, *BOTH)
    assert work.advancing("LLC_FORMATION").run(never) == 1
    assert (work.happened(client), work.queued()) == ([], 0)


def test_a_step_that_a_person_has_opened_again_waits_for_a_person(work: Casework) -> None:
    client = work.client()
    work.approve(client, *BOTH)
    work.advance()
    work.put_at(client, "DOCUMENT_COLLECTION")
    work.change("update documents set status = 'APPROVED'")
    work.advance()
    assert work.happened(client) == ADVANCED
    assert work.steps(client)["DOCUMENT_COLLECTION"] == "started, current"


def test_a_dossier_that_is_gone_leaves_the_queue(work: Casework) -> None:
    client = work.client()
    work.approve(client, "PASSPORT")
    work.change("delete from dossiers")
    assert work.advance() == 1
    assert work.queued() == 0


def test_two_advisers_approve_the_last_two_documents_at_the_same_moment(
    work: Casework, owner_url: str
) -> None:
    rounds = 20
    start = Barrier(2)

    def approve(app: Application, document_id: UUID) -> None:
        start.wait(10)
        app.review(document_id, "APPROVED")
        work.advance()

    clients: list[Client] = []
    with Application(owner_url) as first, Application(owner_url) as second, ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            client = work.client()
            clients.append(client)
            documents = [work.app.upload(client, document_type) for document_type in BOTH]
            done = [pool.submit(approve, *each) for each in zip((first, second), documents, strict=True)]
            for each in done:
                each.result(20)
            work.clock.forward(2)
            work.advance()
            assert work.happened(client) == ADVANCED
            assert work.steps(client) == GONE_ON
            assert work.tell().count("STEP_COMPLETED") == len(clients)
    assert work.scalar("select count(*) from fleet.step_completions") == rounds
    assert work.queued() == 0


def waiting_for_a_lock(work: Casework) -> bool:
    return bool(
        work.scalar(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
    )


def test_an_approval_that_comes_while_its_dossier_is_worked_off_is_not_lost(
    work: Casework, owner_url: str
) -> None:
    client = work.client()
    work.approve(client, "PASSPORT")
    last = work.app.upload(client, "PROOF_ADDRESS")
    with Application(owner_url) as other, ThreadPoolExecutor(1) as pool:
        with work.sessions.begin() as session:
            claimed = advances.claim(session, 10, work.clock.now)
            approving = pool.submit(other.review, last, "APPROVED")
            wait_for(lambda: waiting_for_a_lock(work))
            advances.finish(session, claimed)
        approving.result(20)
    assert work.queued() == 1
    work.advance()
    assert work.happened(client) == ADVANCED


def test_whoever_completes_it_by_hand_meanwhile_wins(work: Casework) -> None:
    client = work.client()
    work.approve(client, *BOTH)
    by_hand = "update step_instances set completed_at = now() where id = :id and completed_at is null"
    with work.application.begin() as session:
        session.execute(text(by_hand), {"id": work.instance(client, "DOCUMENT_COLLECTION")})
        assert work.advance() == 1, "it does not wait: it looks again in a second"
        assert (work.queued(), work.happened(client)) == (1, [])
    assert work.rows("select tries from fleet.advances") == [(0,)]
    work.clock.forward(2)
    assert work.advance() == 1
    assert (work.queued(), work.happened(client)) == (0, [])
    assert work.scalar("select count(*) from fleet.step_completions") == 0


def test_by_hand_and_by_itself_at_the_same_moment_the_step_is_completed_once(
    work: Casework, owner_url: str
) -> None:
    start = Barrier(2)

    def by_hand(client: Client) -> bool:
        instance_id = work.instance(client, "DOCUMENT_COLLECTION")
        with psycopg.connect(dsn(owner_url), autocommit=True) as connection:
            start.wait(10)
            return bool(
                connection.execute(
                    "update step_instances set completed_at = now() where id = %s and completed_at is null",
                    [instance_id],
                ).rowcount
            )

    def by_itself() -> None:
        start.wait(10)
        work.advance()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            client = work.client()
            work.approve(client, *BOTH)
            hand, itself = pool.submit(by_hand, client), pool.submit(by_itself)
            itself.result(20)
            ended_by_hand = hand.result(20)
            work.clock.forward(2)
            work.advance()
            assert work.happened(client) == ([] if ended_by_hand else ADVANCED)


def test_a_dossier_that_the_application_is_writing_holds_nobody_up(work: Casework) -> None:
    busy, free = work.client(), work.client()
    work.approve(busy, *BOTH)
    work.approve(free, *BOTH)
    with work.application.begin() as session:
        session.execute(text("update dossiers set metadata = '{}' where id = :id"), {"id": busy.dossier_id})
        assert work.advance() == 2
        assert (work.happened(busy), work.happened(free)) == ([], ADVANCED)
    work.clock.forward(2)
    work.advance()
    assert work.happened(busy) == ADVANCED


def test_a_dossier_that_fails_is_tried_again_and_then_parked_and_blocks_nobody(
    work: Casework, owner_url: str
) -> None:
    poisoned, healthy = work.client(), work.client()
    work.approve(poisoned, *BOTH)
    work.approve(healthy, *BOTH)
    before = work.steps(poisoned)
    with refusing(owner_url, "fleet.step_completions", f"dossier_id = '{poisoned.dossier_id}'"):
        work.advance()
        assert work.happened(healthy) == ADVANCED
        for tries in range(1, POLICY.retries + 1):
            (row,) = work.rows("select * from fleet.advances")
            assert (row.dossier_id, row.tries, row.last_error) == (
                poisoned.dossier_id,
                tries,
                "IntegrityError",
            )
            assert row.parked_at is None
            work.clock.forward(POLICY.backoff(tries, lambda: JITTER).total_seconds() + 1)
            work.advance()
    (row,) = work.rows("select * from fleet.advances")
    assert (row.tries, row.parked_at) == (1 + POLICY.retries, work.clock.now)
    assert (work.steps(poisoned), work.happened(poisoned)) == (before, [])
    work.clock.forward(86_400)
    assert work.advance() == 0

    work.change("update documents set status = 'APPROVED' where dossier_id = :id", id=poisoned.dossier_id)
    work.advance()
    assert work.happened(poisoned) == ADVANCED, "another approval takes it up again"


def test_a_step_does_not_end_before_its_start(work: Casework) -> None:
    client = work.client()
    later = work.clock.now + timedelta(minutes=5)
    current = work.instance(client, "DOCUMENT_COLLECTION")
    work.change("update step_instances set started_at = :at where id = :id", at=later, id=current)
    work.approve(client, *BOTH)
    work.advance()
    assert work.scalar("select completed_at from step_instances where id = :id", id=current) == later
