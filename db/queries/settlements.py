"""Settlements: the keys by which a payment counts once, whoever tells of it and however often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Settled:
    """With what an order was settled."""

    session_id: str | None
    payment_id: str | None
    dossier_id: UUID | None


@dataclass(frozen=True, slots=True)
class NewSettlement:
    """An order to settle, as in ``fleet.settlements``."""

    order_id: UUID
    session_id: str
    payment_id: str | None
    amount: int
    currency: str
    learned: str
    settled_at: datetime


_OF = text("""
    select session_id, payment_intent_id as payment_id, dossier_id
    from fleet.settlements where order_id = :order_id
""")
_PUT = text("""
    insert into fleet.settlements
      (order_id, session_id, payment_intent_id, amount, currency, learned, settled_at)
    values (:order_id, :session_id, :payment_id, :amount, :currency, :learned, :settled_at)
    on conflict do nothing
    returning true
""")
# The application may let two orders lead to one dossier: it is then the first one's.
_NAME_DOSSIER = text("""
    update fleet.settlements set dossier_id = :dossier_id
    where order_id = :order_id
      and not exists (select from fleet.settlements where dossier_id = :dossier_id)
""")


def of(session: Session, order_id: UUID) -> Settled | None:
    """With what an order was settled; None where it was not."""
    row = session.execute(_OF, {"order_id": order_id}).mappings().first()
    return None if row is None else Settled(**row)


def put(session: Session, new: NewSettlement) -> bool:
    """Settle an order; False where the order, the session or the payment is settled already."""
    values = {name: getattr(new, name) for name in NewSettlement.__slots__}
    return bool(session.scalar(_PUT, values))


def name_dossier(session: Session, order_id: UUID, dossier_id: UUID) -> None:
    """Name the dossier that a settled order has led to."""
    session.execute(_NAME_DOSSIER, {"order_id": order_id, "dossier_id": dossier_id})
