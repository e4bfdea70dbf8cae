"""What the platform sells, so that a new database can be worked with: products, steps, document types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert

from db.models import DocumentType, DossierType, Product, ProductStep, Step

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.orm import Session

# Prices in cents of a dollar. The ids at Stripe are for whoever owns the account to fill in.
_PRODUCTS: list[dict[str, Any]] = [
    {
        "code": "LLC_FORMATION",
        "name": "LLC Formation",
        "description": "Complete LLC formation service",
        "dossier_type": DossierType.LLC,
        "price_amount": 999_00,
    },
    {
        "code": "CORP_FORMATION",
        "name": "Corporation Formation",
        "description": "Complete corporation formation service",
        "dossier_type": DossierType.CORP,
        "price_amount": 1499_00,
    },
    {
        "code": "DUBAI_SETUP",
        "name": "Dubai Business Setup",
        "description": "Complete Dubai business setup",
        "dossier_type": DossierType.DUBAI,
        "price_amount": 4999_00,
    },
]

_STEPS: list[dict[str, Any]] = [
    {"code": code, "label": label, "description": description, "position": position}
    for position, (code, label, description) in enumerate(
        [
            ("QUALIFICATION", "Qualification", "Initial qualification and information gathering"),
            ("DOCUMENT_COLLECTION", "Document Collection", "Collect all required documents"),
            ("FORM_SUBMISSION", "Form Submission", "Submit formation documents"),
            ("PROCESSING", "Processing", "Processing with authorities"),
            ("COMPLETION", "Completion", "Final steps and delivery"),
        ]
    )
]

_DOCUMENT_COLLECTION = select(Step.id).where(Step.code == "DOCUMENT_COLLECTION").scalar_subquery()

_DOCUMENT_TYPES: list[dict[str, Any]] = [
    {
        "code": "PASSPORT",
        "label": "Passport",
        "description": "Valid passport copy",
        "required_step_id": _DOCUMENT_COLLECTION,
    },
    {
        "code": "PROOF_ADDRESS",
        "label": "Proof of Address",
        "description": "Utility bill or bank statement (less than 3 months old)",
        "required_step_id": _DOCUMENT_COLLECTION,
    },
]


def seed(session: Session) -> dict[str, int]:
    """Add what is missing of the platform's migration guide's initial data. What is there stays as it is.

    Args:
        session: Not committed here.

    Returns:
        How many rows were added to each table.
    """
    return {
        "products": _add(session, insert(Product).values(_PRODUCTS).on_conflict_do_nothing(), Product),
        "steps": _add(session, insert(Step).values(_STEPS).on_conflict_do_nothing(), Step),
        "product_steps": _add(session, _links(), ProductStep),
        "document_types": _add(
            session, insert(DocumentType).values(_DOCUMENT_TYPES).on_conflict_do_nothing(), DocumentType
        ),
    }


def _links() -> Insert:
    """Link the steps to each seeded product that has none of its own.

    The guide links them to LLC_FORMATION alone; a dossier of the other two could then never advance.
    """
    steps = (
        select(Product.id, Step.id, Step.position)
        .join(Step, literal(value=True))
        .where(
            Product.code.in_([product["code"] for product in _PRODUCTS]),
            Step.code.in_([step["code"] for step in _STEPS]),
            ~select(ProductStep.id).where(ProductStep.product_id == Product.id).exists(),
        )
    )
    return insert(ProductStep).from_select(["product_id", "step_id", "position"], steps)


def _add(
    session: Session, statement: Insert, model: type[Product | Step | ProductStep | DocumentType]
) -> int:
    return len(session.scalars(statement.returning(model.id)).all())
