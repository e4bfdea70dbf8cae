"""What the shop and the banks do to a payment afterwards, with the events that Stripe writes of it.

Source: Stripe's "Refund and cancel payments" and "How disputes work".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from workers.dev.sandbox.stripe_objects import Dispute, Refund, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.dev.sandbox.stripe_objects import Charge, PaymentIntent, StripeObject
    from workers.dev.sandbox.stripe_store import K, Shelf, StripeStore

_EVIDENCE_SECONDS: Final = 9 * 24 * 3600


class NotPossibleError(Exception):
    """An object is not there, or not in a state in which this can be done; the text says so.

    Args:
        message: In Stripe's words where it has some.
        code: Stripe's.
        param: The parameter that it is about.
    """

    def __init__(self, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Tell(Protocol):
    """Writes an event."""

    def __call__(
        self, kind: str, about: StripeObject, before: Mapping[str, object] | None, now: int
    ) -> object:
        """Write that this happened to an object, which is shown as it is now.

        Args:
            kind: Stripe's word for the event.
            about: The object.
            before: The fields that have changed, as they were.
            now: Unix time in seconds.
        """


class Reversals:
    """Refunds and disputes. Each method changes the objects and writes the events.

    All raise `NotPossibleError`.

    Args:
        store: Where the objects are.
        tell: Writes the events.
        clock: Unix time.
    """

    def __init__(self, store: StripeStore, tell: Tell, clock: Callable[[], float]) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock

    def refund(
        self,
        payment_intent_id: str,
        amount: int | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """The shop gives money back; what is left of it where no amount is given."""
        intent, charge = self._paid(payment_intent_id)
        left = charge.amount - charge.amount_refunded
        if left == 0:
            raise NotPossibleError(
                f"Charge {charge.id} has already been refunded.", "charge_already_refunded"
            )
        given = left if amount is None else amount
        if given > left:
            raise NotPossibleError(
                f"Refund amount ({given}) is greater than unrefunded amount on charge ({left})",
                None,
                "amount",
            )
        refund = Refund(
            id=new_id("re"),
            created=self._now(),
            amount=given,
            currency=charge.currency,
            charge=charge.id,
            payment_intent=intent.id,
            reason=reason,
            metadata=metadata or {},
        )
        self._store.refunds.add(refund)
        before = {"amount_refunded": charge.amount_refunded, "refunded": False}
        charge.amount_refunded += given
        self._say("refund.created", refund)
        self._say("charge.refunded", charge, before)
        return refund

    def dispute(self, payment_intent_id: str, reason: str = "fraudulent") -> Dispute:
        """The cardholder disputes the payment."""
        intent, charge = self._paid(payment_intent_id)
        if charge.disputed:
            raise NotPossibleError(f"Charge {charge.id} has already been disputed.")
        now = self._now()
        left = charge.amount - charge.amount_refunded
        dispute = Dispute(
            new_id("du"), now, left, charge.currency, charge.id, intent.id, reason, now + _EVIDENCE_SECONDS
        )
        self._store.disputes.add(dispute)
        charge.disputed = True
        self._say("charge.dispute.created", dispute)
        self._say("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, *, won: bool) -> Dispute:
        """The bank decides."""
        dispute = kept(self._store.disputes, dispute_id)
        if dispute.status in {"won", "lost"}:
            raise NotPossibleError(f"Dispute {dispute_id} is closed already.")
        before = {"status": dispute.status}
        dispute.status = "won" if won else "lost"
        self._say("charge.dispute.closed", dispute, before)
        if won:
            self._say("charge.dispute.funds_reinstated", dispute)
        return dispute

    def _paid(self, payment_intent_id: str) -> tuple[PaymentIntent, Charge]:
        intent = kept(self._store.intents, payment_intent_id)
        charge = self._store.charges.get(intent.latest_charge or "")
        if intent.status != "succeeded" or charge is None:
            raise NotPossibleError(
                f"This PaymentIntent ({intent.id}) does not have a successful charge to refund or dispute."
            )
        return intent, charge

    def _say(self, kind: str, about: StripeObject, before: Mapping[str, object] | None = None) -> None:
        self._store.touched()
        self._tell(kind, about, before, self._now())

    def _now(self) -> int:
        return int(self._clock())


def kept(shelf: Shelf[K], object_id: str) -> K:
    """The object of this id.

    Raises:
        NotPossibleError: It is not there, or not any more.
    """
    found = shelf.get(object_id)
    if found is None:
        raise NotPossibleError(f"No such {shelf.kind}: '{object_id}'", "resource_missing")
    return found
