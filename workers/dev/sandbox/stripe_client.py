"""The control API's client, as far as Stripe goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from workers.dev.sandbox.control_line import ControlLine
from workers.dev.sandbox.stripe_wire import (
    Contest,
    Decline,
    Finish,
    GiveBack,
    Nothing,
    RefundReason,
    StripeDisputeView,
    StripeEventView,
    StripeMischief,
    StripeRefundView,
    StripeSessionView,
    Verdict,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

_SESSIONS = TypeAdapter(list[StripeSessionView])
_EVENTS = TypeAdapter(list[StripeEventView])
_CALLS = TypeAdapter(dict[str, int])
_NOTHING = Nothing()


class StripeLine(ControlLine):
    """Does what clients and banks do to payments.

    All raise ``SandboxError`` where the object is not there, or not in a state in which it can be done.
    """

    def pay(self, session_id: str) -> StripeSessionView:
        """The client pays, and the money is there."""
        return self._session(session_id, "pay", _NOTHING)

    def decline(self, session_id: str, code: str = "card_declined") -> StripeSessionView:
        """The client's card is refused with one of Stripe's error codes; the session stays open."""
        return self._session(session_id, "decline", Decline(code=code))

    def pay_later(self, session_id: str) -> StripeSessionView:
        """The client pays in a way that takes days: complete, and unpaid until `finish_async`."""
        return self._session(session_id, "pay-later", _NOTHING)

    def finish_async(self, session_id: str, *, succeeded: bool = True) -> StripeSessionView:
        """The money of such a payment comes in, or does not."""
        return self._session(session_id, "finish", Finish(succeeded=succeeded))

    def expire_session(self, session_id: str) -> StripeSessionView:
        """Close an open session before its time."""
        return self._session(session_id, "expire", _NOTHING)

    def refund(
        self, payment_intent_id: str, amount: int | None = None, reason: RefundReason | None = None
    ) -> StripeRefundView:
        """The shop gives money back on Stripe's own pages; all that is left where no amount is given."""
        back = GiveBack(amount=amount, reason=reason)
        return StripeRefundView.model_validate_json(self._post(f"payments/{payment_intent_id}/refund", back))

    def dispute(self, payment_intent_id: str, reason: str = "fraudulent") -> StripeDisputeView:
        """The cardholder disputes the payment."""
        path = f"payments/{payment_intent_id}/dispute"
        return StripeDisputeView.model_validate_json(self._post(path, Contest(reason=reason)))

    def close_dispute(self, dispute_id: str, *, won: bool) -> StripeDisputeView:
        """The bank decides."""
        path = f"disputes/{dispute_id}/close"
        return StripeDisputeView.model_validate_json(self._post(path, Verdict(won=won)))

    def stripe_sessions(self, *, mark: str | None = None) -> list[StripeSessionView]:
        """The sessions, oldest first; only those with this value in their metadata where one is given."""
        fields = {} if mark is None else {"mark": mark}
        return _SESSIONS.validate_json(self._api("GET", "stripe/sessions", fields=fields))

    def stripe_events(self, *, kind: str | None = None, subject: str | None = None) -> list[StripeEventView]:
        """The events, oldest first, with how far their webhooks are.

        Args:
            kind: Only those of this type.
            subject: Only those about the object of this id.
        """
        given = {"type": kind, "subject": subject}
        fields = {name: value for name, value in given.items() if value is not None}
        return _EVENTS.validate_json(self._api("GET", "stripe/events", fields=fields))

    def stripe_calls(self) -> dict[str, int]:
        """How often each endpoint was called, such as ``GET /v1/events/{id}``, whatever was answered."""
        return _CALLS.validate_json(self._api("GET", "stripe/calls"))

    def stripe_webhooks(
        self, *, lose: float = 0, double: float = 0, late: float = 0, seconds: float = 2.0
    ) -> None:
        """Say what goes wrong with the webhooks of the next events; without arguments, nothing any more.

        Args:
            lose: An int is the number of the next events, a float the share of all; as for the others.
            double: Posted twice.
            late: Posted late, so others overtake them.
            seconds: How late at most.
        """
        mischief = StripeMischief(lose=lose, double=double, late=late, seconds=seconds)
        self._api("PUT", "stripe/webhooks", body=mischief)

    def resend_event(self, event_id: str) -> StripeEventView:
        """Post an event again, also one that was lost."""
        return StripeEventView.model_validate_json(self._post(f"events/{event_id}/resend", _NOTHING))

    def clear_stripe(self) -> None:
        """Forget all payments, events and counts of calls."""
        self._api("DELETE", "stripe")

    def _session(
        self,
        session_id: str,
        act: Literal["pay", "decline", "pay-later", "finish", "expire"],
        body: BaseModel,
    ) -> StripeSessionView:
        return StripeSessionView.model_validate_json(self._post(f"sessions/{session_id}/{act}", body))

    def _post(self, path: str, body: BaseModel) -> bytes:
        return self._api("POST", f"stripe/{path}", body=body)
