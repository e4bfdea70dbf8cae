from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from db.catalogs import load
from db.models import (
    AuthUser,
    Base,
    Dossier,
    DossierStatus,
    DossierType,
    Event,
    EventType,
    Notification,
    Profile,
    enums,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

EXPECTED = load("v2")
TABLES = {table.name: table for table in Base.metadata.tables.values() if table.schema is None}

# Nullable in some live databases, so that the code has to reckon with it.
LOOSER = {("dossiers", "user_id")}


def shape(table: Table) -> list[dict[str, Any]]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return [
        {
            "name": column.name,
            "type": column.type.compile(dialect).lower(),
            "not_null": not column.nullable or (table.name, column.name) in LOOSER,
        }
        for column in table.columns
    ]


def test_the_models_are_the_platforms_tables_column_by_column() -> None:
    expected = {
        table: [{key: column[key] for key in ("name", "type", "not_null")} for column in columns]
        for table, columns in EXPECTED["tables"].items()
    }

    assert {name: shape(table) for name, table in TABLES.items()} == expected


def test_the_database_fills_what_the_models_leave_to_it() -> None:
    filled = {
        (name, column.name)
        for name, table in TABLES.items()
        for column in table.columns
        if column.server_default
    }

    assert filled == {
        (table, column["name"])
        for table, columns in EXPECTED["tables"].items()
        for column in columns
        if column["default"] is not None
    }


def test_the_models_refer_to_each_other_as_the_tables_do() -> None:
    reference = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES ([\w.]+)\((\w+)\)")

    assert {
        (name, key.parent.name, key.target_fullname)
        for name, table in TABLES.items()
        for key in table.foreign_keys
    } == {
        (table, match[1], f"{match[2]}.{match[3]}")
        for table, constraints in EXPECTED["constraints"].items()
        for constraint in constraints
        if (match := reference.match(constraint["def"]))
    }


def test_the_known_values_are_those_of_the_enums() -> None:
    known = [
        list(values)
        for values in vars(enums).values()
        if isinstance(values, type) and issubclass(values, StrEnum) and values is not StrEnum
    ]

    assert sorted(known) == sorted(EXPECTED["enums"].values())


def test_rows_are_written_and_read(platform: Engine) -> None:
    with Session(platform) as session, session.begin():
        user = AuthUser(email="client@example.com")
        session.add(user)
        session.flush()
        session.add(Profile(id=user.id, full_name="Camille Martin", phone="+33 6 39 98 00 01"))
        session.flush()
        dossiers = [
            Dossier(user_id=user.id, type=DossierType.LLC, status=DossierStatus.QUALIFICATION)
            for _ in range(3)
        ]
        session.add_all(dossiers)
        session.flush()
        notification = Notification(user_id=user.id, title="Bonjour", message="Bienvenue.")
        session.add(notification)
        session.flush()

        assert {dossier.status for dossier in dossiers} == {"QUALIFICATION"}
        assert all(dossier.created_at.tzinfo for dossier in dossiers)
        assert notification.payload == {}

        dossiers[0].status = DossierStatus.COMPLETED
        dossiers[0].metadata_ = None
        session.flush()
        done = select(Dossier).where(Dossier.status == DossierStatus.COMPLETED, Dossier.metadata_.is_(None))
        assert session.scalars(done).all() == [dossiers[0]]
        changed = session.scalars(
            select(Event).where(Event.event_type.in_([EventType.DOSSIER_STATUS_CHANGED, EventType.ERROR]))
        ).one()
        assert changed.entity_id == dossiers[0].id
        assert changed.payload == {
            "old_status": "QUALIFICATION",
            "new_status": "COMPLETED",
            "dossier_type": "LLC",
        }


def test_a_value_and_a_column_that_the_models_do_not_know_are_no_obstacle(platform: Engine) -> None:
    with platform.begin() as connection:
        connection.execute(text("alter type event_type add value 'INVOICE_ISSUED'"))
        connection.execute(text("alter table events add column source text default 'application'"))
    with Session(platform) as session, session.begin():
        insert = """
            insert into events (entity_type, entity_id, event_type)
            values ('order', gen_random_uuid(), 'INVOICE_ISSUED')
        """
        session.execute(text(insert))

        assert session.scalars(select(Event)).one().event_type == "INVOICE_ISSUED"
