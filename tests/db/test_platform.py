from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from db.seed import seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine


@pytest.fixture
def connection(platform: Engine) -> Iterator[Connection]:
    """In a transaction that is never committed, with the seed data."""
    with platform.connect() as connection:
        with Session(connection, join_transaction_mode="create_savepoint") as session, session.begin():
            seed(session)
        yield connection
        connection.rollback()


def one(connection: Connection, statement: str, **parameters: object) -> Any:
    """The only value of the only row."""
    return connection.execute(text(statement), parameters).scalar_one()


def rows(connection: Connection, statement: str, **parameters: object) -> list[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]


def new_client(connection: Connection) -> UUID:
    user = one(connection, "insert into auth.users (email) values ('client@example.com') returning id")
    connection.execute(text("insert into profiles (id) values (:id)"), {"id": user})
    return UUID(str(user))


def new_dossier(connection: Connection, user: UUID) -> UUID:
    statement = """
        insert into dossiers (user_id, product_id, type, status)
        select :user, id, dossier_type, initial_status from products where code = 'LLC_FORMATION'
        returning id
    """
    return UUID(str(one(connection, statement, user=user)))


def new_step(connection: Connection, dossier: UUID, code: str) -> UUID:
    statement = """
        insert into step_instances (dossier_id, step_id, started_at)
        select :dossier, id, now() from steps where code = :code
        returning id
    """
    return UUID(str(one(connection, statement, dossier=dossier, code=code)))


def new_document(connection: Connection, dossier: UUID, step: UUID, code: str) -> UUID:
    statement = """
        insert into documents (dossier_id, step_instance_id, document_type_id)
        select :dossier, :step, id from document_types where code = :code
        returning id
    """
    return UUID(str(one(connection, statement, dossier=dossier, step=step, code=code)))


def test_a_change_of_status_writes_an_event_and_the_history(connection: Connection) -> None:
    dossier = new_dossier(connection, new_client(connection))

    connection.execute(text("update dossiers set status = 'FORM_SUBMITTED'"))
    connection.execute(text("update dossiers set metadata = '{}'"))

    assert rows(connection, "select entity_type, entity_id, event_type, actor_type, payload from events") == [
        {
            "entity_type": "dossier",
            "entity_id": dossier,
            "event_type": "DOSSIER_STATUS_CHANGED",
            "actor_type": None,
            "payload": {
                "old_status": "QUALIFICATION",
                "new_status": "FORM_SUBMITTED",
                "dossier_type": "LLC",
            },
        }
    ]
    assert rows(connection, "select dossier_id, old_status, new_status from dossier_status_history") == [
        {"dossier_id": dossier, "old_status": "QUALIFICATION", "new_status": "FORM_SUBMITTED"}
    ]


def test_an_upload_writes_an_event(connection: Connection) -> None:
    user = new_client(connection)
    dossier = new_dossier(connection, user)
    step = new_step(connection, dossier, "DOCUMENT_COLLECTION")
    document = new_document(connection, dossier, step, "PASSPORT")

    version = one(
        connection,
        """
        insert into document_versions
          (document_id, file_url, file_name, uploaded_by_type, uploaded_by_id, version_number)
        values (:document, 'https://files.example.com/1', 'passport.pdf', 'USER', :user, 1)
        returning id
        """,
        document=document,
        user=user,
    )

    assert rows(connection, "select entity_type, entity_id, event_type, payload from events") == [
        {
            "entity_type": "document",
            "entity_id": document,
            "event_type": "DOCUMENT_UPLOADED",
            "payload": {
                "version_id": str(version),
                "version_number": 1,
                "file_name": "passport.pdf",
                "dossier_id": str(dossier),
                "uploaded_by_type": "USER",
                "uploaded_by_id": str(user),
            },
        }
    ]


def test_an_update_stamps_the_row(connection: Connection) -> None:
    connection.execute(text("update products set updated_at = '2020-01-01' where code = 'DUBAI_SETUP'"))

    assert one(connection, "select updated_at = now() from products where code = 'DUBAI_SETUP'")


def test_the_next_step_follows_the_products_order(connection: Connection) -> None:
    dossier = new_dossier(connection, new_client(connection))
    next_step = "select code from steps where id = get_next_step_for_dossier(:dossier)"

    seen = [one(connection, next_step, dossier=dossier)]
    for _ in range(4):
        step = new_step(connection, dossier, seen[-1])
        connection.execute(text("update dossiers set current_step_instance_id = :step"), {"step": step})
        seen += [row["code"] for row in rows(connection, next_step, dossier=dossier)]
    assert seen == ["QUALIFICATION", "DOCUMENT_COLLECTION", "FORM_SUBMISSION", "PROCESSING", "COMPLETION"]

    last = new_step(connection, dossier, "COMPLETION")
    connection.execute(text("update dossiers set current_step_instance_id = :step"), {"step": last})
    assert one(connection, "select get_next_step_for_dossier(:dossier)", dossier=dossier) is None
    assert one(connection, "select get_next_step_for_dossier(null)") is None


def test_a_steps_documents_are_complete_when_each_is_approved(connection: Connection) -> None:
    dossier = new_dossier(connection, new_client(connection))
    qualification = new_step(connection, dossier, "QUALIFICATION")
    collection = new_step(connection, dossier, "DOCUMENT_COLLECTION")
    complete = "select are_step_documents_complete(:step)"
    assert one(connection, complete, step=qualification)
    assert not one(connection, complete, step=collection)

    passport = new_document(connection, dossier, collection, "PASSPORT")
    address = new_document(connection, dossier, collection, "PROOF_ADDRESS")
    approve = text("update documents set status = 'APPROVED' where id = :id")
    connection.execute(approve, {"id": passport})
    assert not one(connection, complete, step=collection)

    connection.execute(approve, {"id": address})
    assert one(connection, complete, step=collection)


def test_a_payment_links_token_is_32_hex_digits_and_never_the_same(connection: Connection) -> None:
    tokens = connection.scalars(
        text("select generate_payment_link_token() from generate_series(1, 500)")
    ).all()

    assert all(re.fullmatch(r"[0-9a-f]{32}", token) for token in tokens)
    assert len(set(tokens)) == 500


def become(connection: Connection, claims: dict[str, str]) -> None:
    """Go on as an application's role on behalf of a signed-in client; the role ends with the transaction."""
    role = f"client_{uuid4().hex}"
    connection.execute(text(f"create role {role}"))
    connection.execute(text(f"grant select, insert, update on all tables in schema public to {role}"))
    for name, value in claims.items():
        connection.execute(text("select set_config(:name, :value, true)"), {"name": name, "value": value})
    connection.execute(text(f"set local role {role}"))


@pytest.mark.parametrize("style", ["claims", "claim.sub"])
def test_a_client_sees_and_touches_its_own_alone(connection: Connection, style: str) -> None:
    mine, other = new_client(connection), new_client(connection)
    dossier = new_dossier(connection, mine)
    new_dossier(connection, other)
    for user in (mine, other):
        connection.execute(
            text("insert into notifications (user_id, title, message) values (:user, 'Hello', 'Welcome.')"),
            {"user": user},
        )
    claims = {
        "claims": {"request.jwt.claims": json.dumps({"sub": str(mine), "role": "authenticated"})},
        "claim.sub": {"request.jwt.claim.sub": str(mine)},
    }

    become(connection, claims[style])

    assert connection.scalars(text("select id from profiles")).all() == [mine]
    assert connection.scalars(text("select id from dossiers")).all() == [dossier]
    read = connection.execute(text("update notifications set read_at = now() returning user_id"))
    assert read.scalars().all() == [mine]
    message = """
        insert into messages (dossier_id, sender_type, sender_id, content)
        values (:dossier, 'USER', :sender, 'When?')
    """
    connection.execute(text(message), {"dossier": dossier, "sender": mine})
    with pytest.raises(ProgrammingError, match="row-level security"):
        connection.execute(text(message), {"dossier": dossier, "sender": other})


def test_without_a_claim_nothing_is_seen(connection: Connection) -> None:
    new_dossier(connection, new_client(connection))

    become(connection, {})

    assert rows(connection, "select id from dossiers") == []
    assert rows(connection, "select id from profiles") == []
