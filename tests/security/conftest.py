from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.security.supabase import client_roles, clone, supabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.supabase import Supabase


@pytest.fixture(scope="session")
def server(postgres_url: str) -> Iterator[str]:
    """A server with the roles that Supabase has."""
    with client_roles(postgres_url):
        yield postgres_url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[Supabase]:
    with supabase(server) as database:
        yield database


@pytest.fixture(scope="module")
def hardened(template: Supabase) -> Iterator[Supabase]:
    with clone(template, hardened=True) as database:
        yield database


@pytest.fixture(scope="module")
def as_made(template: Supabase) -> Iterator[Supabase]:
    """Version 2 with the holes that it has."""
    with clone(template, hardened=False) as database:
        yield database
