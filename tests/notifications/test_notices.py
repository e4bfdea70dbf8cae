"""A notice is told once, in its person's language, as an event would be."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

from db import json_rows
from db.queries import notices, story
from db.queries.interventions import By
from services.notifications import export
from services.notifications.erasure import Eraser
from services.notifications.typography import NBSP
from tests.notifications.pipeline import JITTER, POLICY, never, side_by_side
from workers import telling

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient

REFUND = {"amount": 99900, "currency": "eur", "product": "LLC Formation", "reference": "EXEMPLE1"}


def notice(
    pipeline: Pipeline,
    client: Client,
    *,
    template: str = "PAYMENT_REFUNDED",
    payload: dict[str, object] | None = None,
    action_url: str | None = None,
    user_id: UUID | None = None,
) -> UUID:
    """What a service puts down to be told; the notice's id comes back."""
    row = {
        "notice_key": f"refund:{uuid4()}",
        "user_id": user_id or client.user_id,
        "template_code": template,
        "order_id": client.order_id,
        "dossier_id": client.dossier_id,
        "payload": REFUND if payload is None else payload,
        "action_url": action_url,
    }
    with pipeline.sessions.begin() as session:
        assert notices.put(session, json_rows.dumps([row])) == 1
    notice_id: UUID = pipeline.scalar("select id from fleet.notices where notice_key = :notice_key", **row)
    return notice_id


def test_a_refund_is_told_on_every_channel(
    app: Application, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    client = app.pay(app.register("camille@example.com", "Camille Exemple", phone="06 39 98 00 17"))
    notice_id = notice(pipeline, client)
    assert pipeline.notices().run(never) == 1
    (told,) = pipeline.rows("select * from notifications")
    assert (told.user_id, told.dossier_id, told.event_id) == (client.user_id, client.dossier_id, None)
    assert (told.template_code, told.payload, told.action_url) == ("PAYMENT_REFUNDED", REFUND, "/dashboard")
    assert told.title == "Remboursement effectué"
    assert f"remboursé 999,00{NBSP}€ pour" in told.message
    assert pipeline.rows("select channel::text, recipient from notification_deliveries order by 1") == [
        ("EMAIL", client.email),
        ("IN_APP", str(client.user_id)),
        ("WHATSAPP", "+33639980017"),
    ]
    (row,) = pipeline.rows(
        "select told_at, notification_id, tries from fleet.notices where id = :id", id=notice_id
    )
    assert row == (clock.now, told.id, 0)
    pipeline.send()  # and in the template's own words, not in those that the app shows
    (message,) = sandbox.messages()
    assert message.subject == f"Nous vous avons remboursé 999,00{NBSP}€"
    assert f"Référence{NBSP}: EXEMPLE1" in sandbox.message(message.id).text
    assert pipeline.notices().run(never) == 0


def test_a_person_is_told_in_their_own_language_and_where_the_notice_leads(
    paid: Client, pipeline: Pipeline
) -> None:
    pipeline.change("insert into fleet.preferences (user_id, locale) values (:id, 'en')", id=paid.user_id)
    notice(pipeline, paid, action_url="/orders")
    pipeline.notices().run(never)
    assert pipeline.rows("select title, action_url from notifications") == [("Refund issued", "/orders")]


def test_what_is_not_due_waits(paid: Client, pipeline: Pipeline, clock: Clock) -> None:
    notice(pipeline, paid)
    pipeline.change("update fleet.notices set due_at = :later", later=clock.now + timedelta(seconds=60))
    assert pipeline.notices().run(never) == 0
    clock.forward(61)
    assert pipeline.notices().run(never) == 1


def test_two_workers_tell_two_hundred_notices_once_each(paid: Client, pipeline: Pipeline) -> None:
    for _ in range(200):
        notice(pipeline, paid)
    start = Barrier(2)
    shares: list[int] = []

    def work() -> None:
        start.wait(10)
        shares.append(pipeline.notices().run(never))

    with side_by_side(work, work):
        pass
    assert sum(shares) == 200
    assert pipeline.rows("select count(*) from notifications") == [(200,)]
    assert pipeline.rows(
        "select count(*), count(distinct notification_id) from fleet.notices where told_at is not null"
    ) == [(200, 200)]


def test_a_notice_to_somebody_who_is_gone_is_told_to_nobody(
    paid: Client, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    gone, there = notice(pipeline, paid, user_id=uuid4()), notice(pipeline, paid)
    with caplog.at_level(logging.INFO):
        assert pipeline.notices().run(never) == 2
    rows = dict(
        pipeline.rows("select id, told_at is not null and notification_id is null from fleet.notices")
    )
    assert rows == {gone: True, there: False}
    assert f"notice {gone} was told to nobody: its person is gone" in caplog.messages


def test_a_notice_whose_dossier_is_gone_is_told_all_the_same(paid: Client, pipeline: Pipeline) -> None:
    notice(pipeline, paid)
    pipeline.change("delete from dossiers")
    pipeline.notices().run(never)
    assert pipeline.rows("select dossier_id from notifications") == [(None,)]


def test_a_template_that_is_not_known_is_parked_at_once(
    paid: Client, pipeline: Pipeline, clock: Clock
) -> None:
    strange = notice(pipeline, paid, template="MOON_LANDED")
    notice(pipeline, paid)
    assert pipeline.notices().run(never) == 2
    assert pipeline.rows(
        "select tries, last_error, parked_at, told_at from fleet.notices where id = :id", id=strange
    ) == [(1, "unknown_template", clock.now, None)]
    assert pipeline.scalar("select count(*) from notifications") == 1
    assert pipeline.notices().run(never) == 0


def test_a_poisoned_notice_is_tried_again_and_then_parked_and_blocks_nobody(
    paid: Client, pipeline: Pipeline, clock: Clock
) -> None:
    poison = notice(pipeline, paid, payload={**REFUND, "amount": "much"})
    notice(pipeline, paid)
    pipeline.notices().run(never)
    assert pipeline.scalar("select count(*) from notifications") == 1
    for tries in range(1, POLICY.retries + 1):
        (row,) = pipeline.rows("select * from fleet.notices where told_at is null")
        assert (row.id, row.tries, row.last_error, row.parked_at) == (poison, tries, "RenderError", None)
        clock.forward(POLICY.backoff(tries, lambda: JITTER).total_seconds() + 1)
        pipeline.notices().run(never)
    (row,) = pipeline.rows("select * from fleet.notices where told_at is null")
    assert (row.tries, row.parked_at) == (1 + POLICY.retries, clock.now)


def told_of(pipeline: Pipeline, some_id: UUID) -> list[tuple[str, str]]:
    """What ``fleet explain`` shows of an id, without the times."""
    with pipeline.sessions() as session:
        found = story.find(session, some_id)
        assert found is not None
        return [(moment.what, moment.told) for moment in telling.tell(found, pipeline.clock.now)]


def test_explain_tells_of_the_notice_from_either_end(paid: Client, pipeline: Pipeline) -> None:
    notice_id = notice(pipeline, paid)
    due_at = pipeline.scalar("select due_at from fleet.notices")
    assert told_of(pipeline, notice_id) == [
        ("notice", f"PAYMENT_REFUNDED, about order {paid.order_id}"),
        ("notice", f"due {due_at:%Y-%m-%d %H:%M:%S} UTC, 0 tries"),
    ]
    pipeline.notices().run(never)
    notification_id = pipeline.scalar("select id from notifications")
    whole = told_of(pipeline, notice_id)
    assert whole == told_of(pipeline, notification_id)
    assert ("notice", f"told as notification {notification_id}") in whole
    assert ("notification", "written by the fleet, template PAYMENT_REFUNDED") in whole


def test_explain_says_why_a_notice_is_not_told(paid: Client, pipeline: Pipeline) -> None:
    strange = notice(pipeline, paid, template="MOON_LANDED")
    gone = notice(pipeline, paid, user_id=uuid4())
    pipeline.notices().run(never)
    assert ("notice", "parked, 1 tries, last error unknown_template") in told_of(pipeline, strange)
    assert ("notice", "told to nobody: the person is gone, or was erased") in told_of(pipeline, gone)


def test_notices_are_given_out_and_erased(paid: Client, pipeline: Pipeline, clock: Clock) -> None:
    told = notice(pipeline, paid, action_url="/orders?for=camille")
    pipeline.notices().run(never)
    waiting = notice(pipeline, paid, action_url="/orders?for=camille")
    with pipeline.sessions() as session:
        document = json.loads("".join(export.document(session, paid.user_id, "FR", clock.now)))
    assert {row["id"] for row in document["sections"]["notices"]} == {str(told), str(waiting)}

    eraser = Eraser(pipeline.sessions, {}, {}, "FR", clock)
    erased = eraser.erase(paid.user_id, By("operator", "asked for by letter"))
    assert (erased.rows["notices ended"], erased.rows["notices"]) == (1, 2)
    assert pipeline.notices().run(never) == 0
    assert (
        pipeline.rows(
            "select template_code, action_url, payload ? 'redacted_at', payload ? 'amount' from fleet.notices"
        )
        == [("PAYMENT_REFUNDED", None, True, False)] * 2
    )
    assert eraser.plan(paid.user_id).nothing
