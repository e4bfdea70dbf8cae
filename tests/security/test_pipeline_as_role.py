"""The pipeline, logged in as the fleet's role, on a hardened database and on one as the platform made it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from db.queries import channels, forgotten, inbox, queues, story
from db.queries.interventions import By
from services.notifications import export
from services.notifications.erasure import Eraser
from tests.notifications.conftest import _running_sandbox, clock, sandbox, sender  # noqa: F401 - fixtures
from tests.notifications.pipeline import API_KEY, UNKNOWN_WAIT, Pipeline, email, never
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.sendgrid import SendGridEmail
    from tests.notifications.pipeline import Clock
    from tests.security.supabase import Supabase
    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient


@pytest.fixture(scope="module", params=["hardened", "as_made"])
def database(request: pytest.FixtureRequest) -> Supabase:
    found: Supabase = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def sessions(database: Supabase) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(database.make_worker())
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@pytest.fixture
def pipeline(
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    sender: SendGridEmail,  # noqa: F811 - a fixture
    clock: Clock,  # noqa: F811 - a fixture
) -> Pipeline:
    return Pipeline(sessions, application, sender, clock)


@pytest.fixture
def app(database: Supabase) -> Iterator[Application]:
    with Application(database.owner_url) as application:
        yield application


@pytest.fixture
def client(app: Application) -> Client:
    return app.register("camille@example.com", "Camille Exemple")


def test_events_are_told(app: Application, client: Client, pipeline: Pipeline, clock: Clock) -> None:  # noqa: F811 - a fixture
    paid = app.pay(client)
    event_id = app.review(app.upload(paid, "PASSPORT"), "REJECTED", "illisible")
    app.complete_step(paid, "QUALIFICATION")
    app.change_status(paid, "IN_PROGRESS")
    app.write_message(paid, "Une question ?")

    assert pipeline.fan_out().run(never) == 7
    sent = pipeline.send()
    pipeline.in_app_drain().run(never)

    assert sent > 0
    assert pipeline.rows("select outcome, reason from fleet.fanouts where outcome = 'PASSED_OVER'") == []
    mine = pipeline.rows(
        "select d.channel::text, d.status::text, count(*) from notification_deliveries d"
        " join notifications n on n.id = d.notification_id where n.user_id = :me group by 1, 2",
        me=client.user_id,
    )
    assert {(row.channel, row.status): row.count for row in mine} == {
        ("EMAIL", "SENT"): sent,
        ("IN_APP", "SENT"): sent,
    }
    with pipeline.sessions() as session:
        found = story.find(session, event_id)
        assert found is not None
        assert len(found.deliveries) == 2
        assert queues.due(session, ["EMAIL"], clock.now) == []
        assert all(state.due == 0 for state in queues.states(session, clock.now))


def test_the_applications_own_notifications_are_routed_and_forgotten_rows_found(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,  # noqa: F811 - a fixture
) -> None:
    app.notify(client, "Rendez-vous", "Demain.")
    email(app, client)
    pipeline.change("delete from fleet.dispatch")
    clock.forward(60)
    assert pipeline.routing(grace=5).run(never) == 1
    with pipeline.sessions.begin() as session:
        assert forgotten.enqueue(session, clock.now - timedelta(days=1), clock.now) == 1
    assert pipeline.send() == 2


def test_an_unknown_outcome_is_proved_or_sent_again(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,  # noqa: F811 - a fixture
) -> None:
    proved, repeated = email(app, client), email(app, client)
    pipeline.drain()._lease(2)  # and then the worker was killed
    (attempt,) = pipeline.attempts(proved)
    with pipeline.sessions.begin() as session:
        rows = f'[{{"callback_id": "{proved}", "body": {{"event": "processed", "attempt": "{attempt.token}",'
        assert inbox.store(session, "sendgrid", rows + ' "sg_message_id": "abc.recvd"}}]') == 1
    assert pipeline.evidence().run(never) == 1
    assert pipeline.delivery(proved).status == "SENT"
    clock.forward(UNKNOWN_WAIT + 60)
    pipeline.send()
    clock.forward(60)
    pipeline.send()
    assert pipeline.delivery(repeated).status == "SENT"


def test_a_refused_key_pauses_and_resumes(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,  # noqa: F811 - a fixture
    sandbox: SandboxClient,  # noqa: F811 - a fixture
) -> None:
    delivery_id = email(app, client)
    sandbox.set_key("SG.another")
    pipeline.send()
    with pipeline.sessions() as session:
        assert [pause.kind for pause in channels.pauses(session)] == ["MISCONFIGURED"]
    sandbox.set_key(API_KEY)
    clock.forward(3600)
    pipeline.send()
    assert pipeline.pause() is None
    assert pipeline.delivery(delivery_id).status == "SENT"


def test_a_person_is_given_out_and_erased(
    request: pytest.FixtureRequest,
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,  # noqa: F811 - a fixture
) -> None:
    app.event("ERROR", "order", client.order_id, {"email": client.email})
    delivery_id = email(app, client)
    with pipeline.sessions() as session:
        document = "".join(export.document(session, client.user_id, "FR", clock.now))
    assert document.count(client.email) >= 3
    erased = Eraser(pipeline.sessions, {}, {}, "FR", clock).erase(client.user_id, By("operator", "by letter"))
    assert pipeline.delivery(delivery_id).recipient == "[erased]"
    has_door = request.node.callspec.params["database"] == "hardened"
    assert (erased.rows["events"], erased.events_left) == ((1, 0) if has_door else (0, 1))
