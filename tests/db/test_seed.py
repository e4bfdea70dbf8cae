from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from db.models import Product, ProductStep, Step
from db.seed import seed

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_a_second_time_adds_nothing_and_changes_nothing(platform: Engine) -> None:
    with Session(platform) as session, session.begin():
        assert seed(session) == {"products": 3, "steps": 5, "product_steps": 15, "document_types": 2}
        session.execute(update(Product).values(price_amount=1))
        session.execute(text("delete from product_steps where position = 4"))

    with Session(platform) as session, session.begin():
        assert seed(session) == {"products": 0, "steps": 0, "product_steps": 0, "document_types": 0}
        assert set(session.scalars(select(Product.price_amount))) == {1}


def test_the_dossiers_of_every_product_can_advance(platform: Engine) -> None:
    with Session(platform) as session, session.begin():
        seed(session)
        steps = (
            select(Product.code, func.array_agg(Step.code).label("steps"))
            .join(ProductStep, ProductStep.product_id == Product.id)
            .join(Step, Step.id == ProductStep.step_id)
            .where(Step.position == ProductStep.position)
            .group_by(Product.code)
        )
        found = {row.code: set(row.steps) for row in session.execute(steps)}

    every = {"QUALIFICATION", "DOCUMENT_COLLECTION", "FORM_SUBMISSION", "PROCESSING", "COMPLETION"}
    assert found == dict.fromkeys(("LLC_FORMATION", "CORP_FORMATION", "DUBAI_SETUP"), every)


def test_no_made_up_id_of_stripe_is_stored(platform: Engine) -> None:
    with Session(platform) as session, session.begin():
        seed(session)
        ids = session.execute(select(Product.stripe_product_id, Product.stripe_price_id)).all()

    assert {tuple(row) for row in ids} == {(None, None)}
