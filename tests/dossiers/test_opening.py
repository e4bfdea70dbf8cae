"""A paid order's dossier, with the steps of its product."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.queries import orders
from services.dossiers.opening import open_dossier
from tests.databases import platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.application import Application, Client

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(module_database: Database) -> Database:
    return module_database


@pytest.fixture
def app(owner_url: str) -> Iterator[Application]:
    with platform(owner_url) as app:
        yield app


def register(app: Application, product: str = "LLC_FORMATION") -> Client:
    return app.register(f"camille.{uuid4().hex}@example.com", "Camille Exemple", product=product)


def open_for(sessions: sessionmaker[Session], client: Client) -> UUID:
    with sessions.begin() as session:
        order = orders.lock(session, client.order_id)
        assert order is not None
        return open_dossier(session, order, NOW)


def rows(application: sessionmaker[Session], statement: str, **values: object) -> list[Any]:
    with application() as session:
        return list(session.execute(text(statement), values))


def steps(application: sessionmaker[Session], dossier_id: UUID) -> list[Any]:
    return rows(
        application,
        "select s.code, si.id, si.started_at, si.completed_at from step_instances si"
        " join steps s on s.id = si.step_id join dossiers d on d.id = si.dossier_id"
        " left join product_steps ps on ps.step_id = s.id and ps.product_id = d.product_id"
        " where d.id = :id order by ps.position",
        id=dossier_id,
    )


def test_it_is_its_products_and_names_its_order(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    client = register(app, "DUBAI_SETUP")

    dossier_id = open_for(sessions, client)

    (found,) = rows(
        application,
        "select d.*, o.dossier_id as linked, p.code from dossiers d join orders o on o.user_id = d.user_id"
        " join products p on p.id = d.product_id where d.user_id = :id",
        id=client.user_id,
    )
    assert (found.id, found.linked, found.code) == (dossier_id, dossier_id, "DUBAI_SETUP")
    assert (found.type, found.status, found.completed_at) == ("DUBAI", "QUALIFICATION", None)
    assert found.metadata == {"order_id": str(client.order_id), "created_via": "payment_link"}


def test_it_has_the_steps_by_their_places_and_the_first_is_started(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    # The product's own order of the steps counts, not that of the steps in general.
    product = a_product(application, ["PROCESSING", "QUALIFICATION", "COMPLETION"], first_place=3)
    client = register(app, product)

    dossier_id = open_for(sessions, client)

    found = steps(application, dossier_id)
    assert [step.code for step in found] == ["PROCESSING", "QUALIFICATION", "COMPLETION"]
    assert [step.started_at for step in found] == [NOW, None, None]
    assert {step.completed_at for step in found} == {None}
    (dossier,) = rows(application, "select * from dossiers where id = :id", id=dossier_id)
    assert dossier.current_step_instance_id == found[0].id


def test_a_product_without_steps_gives_none(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    dossier_id = open_for(sessions, register(app, a_product(application, [])))

    assert steps(application, dossier_id) == []
    (dossier,) = rows(application, "select * from dossiers where id = :id", id=dossier_id)
    assert dossier.current_step_instance_id is None


def test_it_writes_no_event_and_no_history(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    dossier_id = open_for(sessions, register(app))

    assert rows(application, "select from events where entity_id = :id", id=dossier_id) == []
    history = "select from dossier_status_history where dossier_id = :id"
    assert rows(application, history, id=dossier_id) == []


def test_again_it_is_the_same_one(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    client = register(app)
    dossier_id = open_for(sessions, client)
    before = steps(application, dossier_id)

    assert open_for(sessions, client) == dossier_id
    assert steps(application, dossier_id) == before


def test_what_the_application_has_begun_is_taken_over(
    app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    client = app.pay(register(app))
    with application.begin() as session:
        session.execute(text("update orders set dossier_id = null where id = :id"), {"id": client.order_id})
    assert client.dossier_id is not None
    before = steps(application, client.dossier_id)

    assert open_for(sessions, client) == client.dossier_id

    assert steps(application, client.dossier_id) == before
    (order,) = rows(application, "select * from orders where id = :id", id=client.order_id)
    (dossier,) = rows(application, "select * from dossiers where id = :id", id=client.dossier_id)
    assert order.dossier_id == client.dossier_id
    assert dossier.current_step_instance_id == before[0].id


def a_product(application: sessionmaker[Session], codes: list[str], first_place: int = 0) -> str:
    """Make a product with these steps; give its code."""
    code = f"MADE_UP_{uuid4().hex}"
    with application.begin() as session:
        session.execute(
            text(
                "insert into products (code, name, dossier_type, price_amount)"
                " values (:code, 'Made up', 'LLC', 10000)"
            ),
            {"code": code},
        )
        for place, step in enumerate(codes, first_place):
            session.execute(
                text(
                    "insert into product_steps (product_id, step_id, position)"
                    " select p.id, s.id, :place from products p, steps s"
                    " where p.code = :code and s.code = :step"
                ),
                {"code": code, "place": place, "step": step},
            )
    return code
