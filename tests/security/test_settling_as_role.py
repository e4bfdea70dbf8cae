"""Orders are settled by the fleet's role, on a hardened database and on one as the platform made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from services.payments.applying import Outcome
from tests.payments.till import SETTLED_EVENTS, STEPS, Standing, Till, declined, given_back, opened, paid
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.supabase import Supabase


@pytest.fixture(scope="module", params=["hardened", "as_made"])
def database(request: pytest.FixtureRequest) -> Supabase:
    found: Supabase = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def till(database: Supabase, application: sessionmaker[Session]) -> Iterator[Till]:
    engine = make_engine(database.make_worker(), pool_size=2)
    with Application(database.owner_url) as app:
        yield Till(sessionmaker(engine), application, app)
    engine.dispose()


def test_it_is_declined_paid_and_given_back(till: Till) -> None:
    client = till.register()
    session = opened(client)
    done = paid(session)

    outcomes = [till.take(said).outcome for said in (declined(session), done, given_back(done))]

    assert outcomes == [Outcome.FAILED, Outcome.SETTLED, Outcome.REFUNDED]
    end = till.standing(client)
    events = {**SETTLED_EVENTS, "PAYMENT_FAILED": 1}
    assert end == Standing("REFUNDED", "ACTIVE", 1, STEPS, events, end.refunded, notices=1)
