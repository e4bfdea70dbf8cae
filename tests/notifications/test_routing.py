"""The application's own notifications: with deliveries, without, or with a trigger that adds them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.notifications.pipeline import execute, never

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient

GRACE = 60.0


@contextmanager
def adding_emails(owner_url: str) -> Iterator[None]:
    """A trigger of the application's own, which adds an e-mail to each notification at the same moment."""
    execute(
        owner_url,
        """
        create function add_email() returns trigger language plpgsql as $$
        begin
          insert into notification_deliveries (notification_id, channel, recipient)
            select new.id, 'EMAIL', email from auth.users where id = new.user_id;
          return null;
        end
        $$
        """,
        "create trigger add_email after insert on notifications for each row execute function add_email()",
    )
    try:
        yield
    finally:
        execute(owner_url, "drop function add_email cascade")


def deliveries(pipeline: Pipeline, notification_id: UUID) -> list[tuple[str, str, str]]:
    rows = pipeline.rows(
        "select channel::text, recipient, status::text from notification_deliveries"
        " where notification_id = :id order by 1",
        id=notification_id,
    )
    return [(channel, recipient, status) for channel, recipient, status in rows]


def test_a_notification_without_deliveries_is_routed_after_the_grace_and_not_before(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Votre conseiller vous attend demain.")
    clock.forward(GRACE - 5)
    assert pipeline.routing(GRACE).run(never) == 0
    assert deliveries(pipeline, notification_id) == []

    clock.forward(10)
    assert pipeline.routing(GRACE).run(never) == 1
    assert deliveries(pipeline, notification_id) == [
        ("EMAIL", client.email, "PENDING"),
        ("IN_APP", str(client.user_id), "SENT"),
    ]
    assert pipeline.routing(GRACE).run(never) == 0


def test_a_notification_with_a_delivery_of_any_channel_is_left_as_it_is(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    by_channel = {channel: app.notify(client, channel, "…") for channel in ("SMS", "IN_APP", "EMAIL")}
    for channel, notification_id in by_channel.items():
        app.deliver(notification_id, channel, "+33639980001" if channel == "SMS" else client.email)
    clock.forward(2 * GRACE)
    assert pipeline.routing(GRACE).run(never) == 0
    assert [len(deliveries(pipeline, each)) for each in by_channel.values()] == [1, 1, 1]


def test_a_person_without_an_address_is_routed_to_the_app_alone(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    pipeline.change("update auth.users set email = null")
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    clock.forward(2 * GRACE)
    pipeline.routing(GRACE).run(never)
    assert deliveries(pipeline, notification_id) == [("IN_APP", str(client.user_id), "SENT")]


def test_more_than_a_batch_is_routed_in_one_run(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    for number in range(130):
        app.notify(client, f"Note {number}", "…")
    clock.forward(2 * GRACE)
    assert pipeline.routing(GRACE).run(never) == 130
    assert pipeline.statuses() == {"PENDING": 130, "SENT": 130}


def test_what_the_fleet_has_announced_gets_no_second_email(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    assert paid.dossier_id
    event_id = app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    pipeline.fan_out().run(never)
    late = app.notify(paid, "Bienvenue", "Votre dossier est ouvert.", event_id=event_id)
    clock.forward(2 * GRACE)
    pipeline.routing(GRACE).run(never)
    pipeline.send()
    assert deliveries(pipeline, late) == [("IN_APP", str(paid.user_id), "SENT")]
    assert len(sandbox.messages()) == 1


def test_what_the_application_announces_in_time_is_routed_whole(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    assert paid.dossier_id
    event_id = app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    app.notify(paid, "Bienvenue chez nous", "Votre dossier est ouvert.", event_id=event_id)
    pipeline.fan_out().run(never)
    clock.forward(2 * GRACE)
    pipeline.routing(GRACE).run(never)
    pipeline.send()
    assert [message.subject for message in sandbox.messages()] == ["Bienvenue chez nous"]
    assert pipeline.statuses() == {"SENT": 2}


def test_an_email_that_the_applications_trigger_adds_is_sent_once(
    app: Application,
    paid: Client,
    pipeline: Pipeline,
    clock: Clock,
    sandbox: SandboxClient,
    owner_url: str,
) -> None:
    assert paid.dossier_id
    with adding_emails(owner_url):
        app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
        pipeline.fan_out().run(never)
        own = app.notify(paid, "Rendez-vous", "Demain.")
        clock.forward(2 * GRACE)
        assert pipeline.routing(GRACE).run(never) == 0
        pipeline.send()
    assert [status for _, _, status in deliveries(pipeline, own)] == ["SENT"]
    per_notification = pipeline.rows(
        "select count(*) filter (where channel = 'EMAIL'), count(*) from fleet.delivery_places"
        " group by notification_id order by 2"
    )
    assert per_notification == [(1, 1), (1, 2)]
    assert pipeline.statuses() == {"SENT": 3}
    assert len(sandbox.messages()) == 2


def test_a_second_email_beside_the_triggers_is_not_sent_and_says_why(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient, owner_url: str
) -> None:
    with adding_emails(owner_url):
        notification_id = app.notify(client, "Rendez-vous", "Demain.")
        second = app.deliver(notification_id, "EMAIL", client.email)
        pipeline.send()
    assert len(sandbox.messages()) == 1
    refused = pipeline.delivery(second)
    assert refused.status == "FAILED"
    assert (refused.provider_response or {})["code"] == "duplicate_delivery"
