"""What all tables share: the base class, the column types, and the columns that most tables have."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, FetchedValue, Integer, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import UserDefinedType


class PgEnum(UserDefinedType[str]):
    """An enum of the database, read and written as plain text.

    Nothing is looked up or converted, so a value that the platform added yesterday is read like any other.

    Args:
        name: The enum's name in the database.
    """

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """Give the type's name as SQL has it."""
        return self.name

    @property
    def python_type(self) -> type[str]:
        """The Python type of its values."""
        return str


class Base(DeclarativeBase):
    """The base of all tables.

    A column that the database fills by itself is left out of an INSERT unless it is set.
    """

    type_annotation_map = {  # noqa: RUF012  # declared by SQLAlchemy, which reads it from the class
        str: Text,
        int: Integer,
        Decimal: Numeric,
        UUID: Uuid,
        datetime: TIMESTAMP(timezone=True),
        list[str]: ARRAY(Text),
        # Python's None is SQL's NULL, not the JSON value null.
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
    }


Id = Annotated[UUID, mapped_column(primary_key=True, server_default=FetchedValue())]
"""A primary key, made up by the database."""

Stamped = Annotated[datetime, mapped_column(server_default=FetchedValue())]
"""A time that is the transaction's unless it is set."""

Touched = Annotated[datetime, mapped_column(server_default=FetchedValue(), server_onupdate=FetchedValue())]
"""The time of the last update, kept by a trigger or by whoever updates."""

JsonObject = Annotated[dict[str, Any], mapped_column(server_default=FetchedValue())]
"""A JSON object, empty unless it is set."""

JsonArray = Annotated[list[Any], mapped_column(server_default=FetchedValue())]
"""A JSON array, empty unless it is set."""

BigInt = Annotated[int, mapped_column(BigInteger)]
"""A whole number of eight bytes."""
