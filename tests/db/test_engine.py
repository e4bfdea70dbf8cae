from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from db.engine import dsn, make_engine


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_way_to_write_the_url_works(empty_database: str, scheme: str) -> None:
    url = f"{scheme}://{empty_database.partition('://')[2]}"
    engine = make_engine(url, pool_size=1)

    with engine.connect() as connection:
        assert connection.scalar(text("show application_name")) == "fleet"
    with psycopg.connect(dsn(url)) as plain:
        assert plain.info.status is psycopg.pq.ConnStatus.OK
    engine.dispose()


def test_nothing_is_prepared_on_the_server(empty_database: str) -> None:
    engine = make_engine(empty_database, pool_size=1)

    with engine.connect() as connection:
        for number in range(20):
            connection.execute(text("select cast(:number as integer)"), {"number": number})
        assert connection.scalar(text("select count(*) from pg_prepared_statements")) == 0
    engine.dispose()


def test_the_parts_of_the_url_are_kept() -> None:
    url = "postgres://fleet:p%40ss%2Fword@db.example.com:6543/platform?sslmode=require"

    assert dsn(url) == "postgresql://fleet:p%40ss%2Fword@db.example.com:6543/platform?sslmode=require"


def test_another_database_is_refused_without_telling_the_password() -> None:
    with pytest.raises(ValueError, match="must begin with postgresql://, not mysql://") as refusal:
        make_engine("mysql://fleet:secret@db.example.com/platform")

    assert "secret" not in str(refusal.value)
