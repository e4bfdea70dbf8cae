"""To the phone there is one way: WhatsApp, or SMS for those who are known to have none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from providers.errors import Undeliverable
from services.notifications import catalogue
from services.notifications.carriers import PhoneCarrier, WhatsAppCarrier
from services.notifications.catalogue import ROUTES, WAYS
from services.notifications.delivery import Drain
from services.notifications.links import Links
from services.notifications.template_codes import Template
from tests.notifications.desk import Desk
from tests.notifications.pipeline import APP_URL, JITTER, LEASE, POLICY, RENDERER, execute, never

if TYPE_CHECKING:
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client

NUMBER = "+33639980000"
FLEET_URL = "https://fleet.example.com"
SCREEN = {"EMAIL", "IN_APP"}


@pytest.fixture
def reachable(paid: Client, pipeline: Pipeline) -> Client:
    """A client with a dossier and a phone, whose number is written as people do."""
    pipeline.change("update profiles set phone = ' 06 39 98 00 00 '")
    return paid


def channels(pipeline: Pipeline) -> dict[str, set[str]]:
    """By the notification's template, or its title where it has none."""
    found = pipeline.rows(
        "select coalesce(n.template_code, n.title) as what, array_agg(d.channel::text) as channels"
        " from notifications n left join notification_deliveries d on d.notification_id = n.id group by n.id"
    )
    return {row.what: set(row.channels) for row in found}


def by_phone(pipeline: Pipeline) -> list[tuple[str, str]]:
    found = pipeline.rows(
        "select channel::text, recipient from notification_deliveries"
        " where channel in ('SMS', 'WHATSAPP') order by created_at"
    )
    return [(channel, recipient) for channel, recipient in found]


def opened(app: Application, client: Client) -> UUID:
    assert client.dossier_id is not None
    return app.event("DOSSIER_CREATED", "dossier", client.dossier_id)


def gave_way(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    *,
    code: str = "63003",
    reason: str = "FAILED",
    number: str = NUMBER,
    ago: timedelta = timedelta(days=29),
) -> None:
    """WhatsApp has given way for this person before."""
    notification_id = app.notify(client, "Avant", "…")
    delivery_id = app.deliver(notification_id, "WHATSAPP", number)
    pipeline.change("update notification_deliveries set status = 'FAILED', failed_at = now()")
    pipeline.change(
        "insert into fleet.fallbacks (notification_id, from_channel, to_channel, from_delivery_id, user_id,"
        " reason, code, decided_at) values (:id, 'WHATSAPP', 'SMS', :delivery, :user, :reason, :code, :at)",
        id=notification_id,
        delivery=delivery_id,
        user=client.user_id,
        reason=reason,
        code=code,
        at=pipeline.clock() - ago,
    )


def test_every_template_has_a_route_that_can_be_gone() -> None:
    assert set(ROUTES) == set(Template)
    for route in ROUTES.values():
        assert set(route.channels) >= SCREEN
        assert 1 <= route.validity_seconds <= 36_000
        for channel in route.channels:
            later = route.channels[route.channels.index(channel) + 1 :]
            assert WAYS.get(channel) is None or WAYS[channel] in later


def test_codes_of_the_applications_own_go_as_its_own_words_do() -> None:
    assert catalogue.route(None) == catalogue.route("RENDEZ_VOUS") == ROUTES[Template.GENERIC]


def test_the_phone_rings_for_what_asks_to_act_or_ends_a_wait(
    app: Application, reachable: Client, pipeline: Pipeline
) -> None:
    opened(app, reachable)
    app.change_status(reachable, "LLC_ACCEPTED")
    app.review(app.upload(reachable, "PASSPORT"), "REJECTED", "Floue.")
    app.event("PAYMENT_FAILED", "order", reachable.order_id)
    app.write_message(reachable, "Bonjour")
    pipeline.fan_out().run(never)

    assert channels(pipeline) == {
        "WELCOME": {*SCREEN, "WHATSAPP"},
        "STATUS_CHANGED": SCREEN,
        "DOCUMENT_RECEIVED": SCREEN,
        "DOCUMENT_REJECTED": {*SCREEN, "WHATSAPP"},
        "PAYMENT_FAILED": {*SCREEN, "WHATSAPP"},
        "NEW_MESSAGE": {*SCREEN, "WHATSAPP"},
    }
    assert set(by_phone(pipeline)) == {("WHATSAPP", NUMBER)}
    priorities = pipeline.rows(
        "select n.template_code, min(q.priority), max(q.priority) from fleet.dispatch q"
        " join notification_deliveries d on d.id = q.delivery_id"
        " join notifications n on n.id = d.notification_id group by 1 order by 1"
    )
    assert priorities == [
        ("DOCUMENT_RECEIVED", 3, 3),
        ("DOCUMENT_REJECTED", 1, 1),
        ("NEW_MESSAGE", 1, 1),
        ("PAYMENT_FAILED", 1, 1),
        ("STATUS_CHANGED", 2, 2),
        ("WELCOME", 2, 2),
    ]


def test_a_number_that_cannot_be_read_is_kept_so_that_its_failure_says_why(
    app: Application, reachable: Client, pipeline: Pipeline
) -> None:
    pipeline.change("update profiles set phone = 'au bureau'")
    opened(app, reachable)
    pipeline.fan_out().run(never)
    assert by_phone(pipeline) == [("WHATSAPP", "au bureau")]


def test_who_is_known_to_have_no_whatsapp_gets_an_sms_at_once(
    app: Application, reachable: Client, pipeline: Pipeline, clock: Clock
) -> None:
    gave_way(app, reachable, pipeline)
    pipeline.change("delete from notification_deliveries")
    gave_way(app, reachable, pipeline, code="63024", number="06 39 98 00 00")
    opened(app, reachable)
    app.event("PAYMENT_FAILED", "order", reachable.order_id)
    app.upload(reachable, "PASSPORT")
    pipeline.fan_out().run(never)
    assert by_phone(pipeline)[1:] == [("SMS", NUMBER)] * 2
    recorded = pipeline.rows(
        "select n.template_code, f.from_channel, f.to_channel, f.from_delivery_id, d.channel::text,"
        " f.user_id, f.code, f.decided_at from fleet.fallbacks f"
        " join notifications n on n.id = f.notification_id"
        " join notification_deliveries d on d.id = f.to_delivery_id where f.reason = 'HAS_NONE' order by 1"
    )
    rest = ("WHATSAPP", "SMS", None, "SMS", reachable.user_id, None, clock.now)
    assert recorded == [("PAYMENT_FAILED", *rest), ("WELCOME", *rest)]


@pytest.mark.parametrize(
    "before",
    [
        {"code": "63016"},
        {"ago": timedelta(days=31)},
        {"number": "+33639980099"},
        {"reason": "HAS_NONE"},
    ],
    ids="-".join,
)
def test_whatsapp_is_tried_again_where_nothing_says_that_there_is_none(
    app: Application, reachable: Client, pipeline: Pipeline, before: dict[str, object]
) -> None:
    gave_way(app, reachable, pipeline, **before)  # type: ignore[arg-type] # one of its arguments each
    opened(app, reachable)
    pipeline.fan_out().run(never)
    assert by_phone(pipeline)[-1] == ("WHATSAPP", NUMBER)


def test_somebody_elses_number_says_nothing(app: Application, reachable: Client, pipeline: Pipeline) -> None:
    gave_way(app, app.register("andrea@example.com", "Andrea Sample"), pipeline)
    opened(app, reachable)
    pipeline.fan_out().run(never)
    assert by_phone(pipeline)[-1] == ("WHATSAPP", NUMBER)


def test_an_sms_that_the_applications_trigger_adds_is_the_way_to_the_phone(
    app: Application, reachable: Client, pipeline: Pipeline, owner_url: str
) -> None:
    execute(
        owner_url,
        """
        create function add_sms() returns trigger language plpgsql as $$
        begin
          insert into notification_deliveries (notification_id, channel, recipient)
            values (new.id, 'SMS', '+33639980000');
          return null;
        end
        $$
        """,
        "create trigger add_sms after insert on notifications for each row execute function add_sms()",
    )
    try:
        opened(app, reachable)
        pipeline.fan_out().run(never)
    finally:
        execute(owner_url, "drop function add_sms cascade")
    assert channels(pipeline) == {"WELCOME": {*SCREEN, "SMS"}}


def test_the_applications_notifications_go_as_their_template_does(
    app: Application, reachable: Client, pipeline: Pipeline, clock: Clock
) -> None:
    event_id = opened(app, reachable)
    pipeline.fan_out().run(never)
    told_already = app.notify(reachable, "Bienvenue", "…", event_id=event_id)
    pipeline.change(
        "update notifications set template_code = 'PAYMENT_FAILED' where id = :id", id=told_already
    )
    for code in ("NEW_MESSAGE", "RENDEZ_VOUS"):
        notification_id = app.notify(reachable, code, "…")
        pipeline.change(
            "update notifications set template_code = :code where id = :id", id=notification_id, code=code
        )
    app.notify(reachable, "Sans code", "…")
    clock.forward(60)
    pipeline.routing().run(never)
    assert channels(pipeline) == {
        "WELCOME": {*SCREEN, "WHATSAPP"},
        "PAYMENT_FAILED": {"IN_APP"},
        "NEW_MESSAGE": {*SCREEN, "WHATSAPP"},
        "RENDEZ_VOUS": SCREEN,
        "Sans code": SCREEN,
    }
    assert pipeline.scalar("select min(priority) from fleet.dispatch where channel = 'WHATSAPP'") == 1


def test_numbers_of_another_country_by_setting(
    app: Application, reachable: Client, pipeline: Pipeline
) -> None:
    pipeline.change("update profiles set phone = '(305) 555-0100'")
    opened(app, reachable)
    replace(pipeline.fan_out(), region="US").run(never)
    assert by_phone(pipeline) == [("WHATSAPP", "+13055550100")]


def whatsapp_by(desk: Desk, pipeline: Pipeline, *, free_text: bool) -> WhatsAppCarrier:
    return WhatsAppCarrier(
        desk,
        RENDERER,
        "fr",
        APP_URL,
        "FR",
        templates={},
        free_text_always=free_text,
        give_way_after=timedelta(minutes=30),
        clock=pipeline.clock,
    )


def drained(pipeline: Pipeline, carrier: PhoneCarrier, channel: str) -> int:
    lease = timedelta(seconds=LEASE)
    drain = Drain(channel, carrier, pipeline.sessions, POLICY, lease, 4, pipeline.clock, lambda: JITTER)
    return drain.run(never)


@pytest.mark.parametrize(
    ("error", "code"), [(None, "no_template"), (Undeliverable("63024", "no such recipient"), "63024")]
)
def test_what_whatsapp_does_not_take_goes_by_sms_in_brief_with_a_short_link(
    app: Application, reachable: Client, pipeline: Pipeline, error: Undeliverable | None, code: str
) -> None:
    opened(app, reachable)
    pipeline.fan_out().run(never)
    taking = Desk()
    whatsapp = whatsapp_by(Desk(error), pipeline, free_text=error is not None)
    assert drained(pipeline, whatsapp, "WHATSAPP") == 1
    links = Links(pipeline.sessions, FLEET_URL, APP_URL, pipeline.clock, timedelta(days=90))
    carrier = PhoneCarrier(taking, RENDERER, "fr", APP_URL, "FR", links.shorten)
    assert drained(pipeline, carrier, "SMS") == 1

    (message,) = taking.taken
    words, link = message.body.split("\n")
    assert message.recipient == NUMBER
    assert words.startswith("Partners VRAI : bienvenue. Votre dossier ")
    target = links.follow(link.removeprefix(f"{FLEET_URL}/l/"), count=False)
    assert target == f"{APP_URL}/dossiers/{reachable.dossier_id}"
    assert pipeline.rows(
        "select l.user_id from fleet.links l join notifications n on n.id = l.notification_id"
    ) == [(reachable.user_id,)]
    deliveries = pipeline.rows(
        "select channel::text, status::text, provider_response ->> 'code' from notification_deliveries"
        " where channel in ('SMS', 'WHATSAPP') order by created_at"
    )
    assert deliveries == [("WHATSAPP", "FAILED", code), ("SMS", "SENT", None)]
    assert pipeline.rows("select reason, code from fleet.fallbacks") == [("REFUSED", code)]


def test_a_number_that_cannot_be_read_fails_once_and_tries_no_other_way(
    app: Application, reachable: Client, pipeline: Pipeline
) -> None:
    pipeline.change("update profiles set phone = '3270'")
    opened(app, reachable)
    pipeline.fan_out().run(never)
    desk = Desk()
    whatsapp = whatsapp_by(desk, pipeline, free_text=True)
    assert drained(pipeline, whatsapp, "WHATSAPP") == 1
    assert (desk.taken, by_phone(pipeline)) == ([], [("WHATSAPP", "3270")])
    ((response,),) = pipeline.rows(
        "select provider_response from notification_deliveries where channel = 'WHATSAPP'"
    )
    assert response["code"] == "invalid_number"
    assert "3270" not in response["error"]
