"""The shop's side of the payments: how each stands, what its people can do, and what the webhooks did."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Route

from workers.dev.sandbox.page_answers import (
    FORM_HEADERS,
    form_of,
    form_page,
    is_foreign,
    refusal,
    unless_seen,
)
from workers.dev.sandbox.payment_states import PaymentState, moment
from workers.dev.sandbox.store import CallbackState
from workers.dev.sandbox.stripe_reversals import NotPossibleError
from workers.dev.sandbox.webhook_switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.stripe_events import Events
    from workers.dev.sandbox.stripe_objects import StripeEvent
    from workers.dev.sandbox.stripe_payments import Checkouts
    from workers.dev.sandbox.stripe_store import StripeStore

_SHOWN = 200
_LOOKED_AT = 5_000
"""Events among which those of one payment are looked for: a page must not make a busy sandbox wait."""
_FOREIGN: Final = "only the sandbox's own pages may do this"
_TOLD: Final = {
    CallbackState.NONE: "nobody to tell",
    CallbackState.WAITING: "waiting",
    CallbackState.RETRYING: "retrying",
    CallbackState.DELIVERED: "delivered",
    CallbackState.ABANDONED: "lost",
}


def routes(store: StripeStore, checkouts: Checkouts, events: Events, courier: Courier) -> list[Route]:
    """The pages of the payments."""
    pages = PaymentPages(store, checkouts, events, courier)
    return [
        Route("/payments", pages.payments, methods=["GET"]),
        Route("/payments/list", pages.listing, methods=["GET"]),
        Route("/payments/events", pages.events, methods=["GET"]),
        Route("/payments/webhooks", pages.switch, methods=["POST"]),
        Route("/payments/{session_id}", pages.payment, methods=["GET"]),
        Route("/payments/{session_id}", pages.act, methods=["POST"]),
        Route("/payments/{session_id}/state", pages.state, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is done to a payment, and the form's fields that it was asked with."""

    payment: PaymentState
    form: dict[str, str]

    @property
    def session_id(self) -> str:
        return self.payment.session.id

    @property
    def intent_id(self) -> str:
        return self.payment.session.payment_intent or ""

    @property
    def dispute_id(self) -> str:
        return self.payment.dispute.id if self.payment.dispute else ""

    @property
    def amount(self) -> int:
        given = self.form.get("amount", "")
        if not given.isdecimal() or int(given) == 0:
            raise NotPossibleError(
                "amount: give a whole number above 0, in the smallest unit of the currency"
            )
        return int(given)


class PaymentPages:
    """Renders the payments and does what the buttons say; everything that was sent is escaped.

    Args:
        store: What it shows.
        checkouts: Told of what the shop and the banks do.
        events: Told what to send again, and what goes wrong.
        courier: Whether callbacks are held is shown and changed.
    """

    def __init__(self, store: StripeStore, checkouts: Checkouts, events: Events, courier: Courier) -> None:
        self._store = store
        self._checkouts = checkouts
        self._events = events
        self._switches = Switches(events.mischief, courier)
        self._deeds: Final[dict[str, Callable[[_Deed], object]]] = {
            "expire": lambda deed: checkouts.expire(deed.session_id),
            "settle": lambda deed: checkouts.finish(deed.session_id, succeeded=True),
            "fail": lambda deed: checkouts.finish(deed.session_id, succeeded=False),
            "refund": lambda deed: checkouts.refund(deed.intent_id),
            "part": lambda deed: checkouts.refund(deed.intent_id, deed.amount),
            "dispute": lambda deed: checkouts.dispute(deed.intent_id),
            "won": lambda deed: checkouts.close_dispute(deed.dispute_id, won=True),
            "lost": lambda deed: checkouts.close_dispute(deed.dispute_id, won=False),
        }

    async def payments(self, _: Request) -> Response:
        """All payments, and the latest webhooks."""
        return form_page("payments.html.j2", **(self._list() | self._webhooks("")))

    async def listing(self, request: Request) -> Response:
        """The payments alone, for the live update."""
        return unless_seen(request, "payment_list.html.j2", self._list())

    async def payment(self, request: Request) -> Response:
        """One payment, and its webhooks."""
        payment = self._payment(request)
        if payment is None:
            return form_page("missing.html.j2", status=404)
        return form_page("payment.html.j2", payment=payment, **self._webhooks(payment.session.id))

    async def state(self, request: Request) -> Response:
        """One payment alone, for the live update."""
        payment = self._payment(request)
        if payment is None:
            return form_page("missing.html.j2", status=404)
        return unless_seen(request, "payment_state.html.j2", {"payment": payment, "version": self._version()})

    async def events(self, request: Request) -> Response:
        """The webhooks alone, for the live update."""
        return unless_seen(
            request, "payment_events.html.j2", self._webhooks(request.query_params.get("of", ""))
        )

    async def act(self, request: Request) -> Response:
        """Do to a payment what a button says."""
        if is_foreign(request):
            return refusal(_FOREIGN, 403)
        payment, form = self._payment(request), await form_of(request)
        if payment is None:
            return form_page("missing.html.j2", status=404)
        if form.get("do", "") not in self._deeds:
            return refusal(f"do: give one of {', '.join(self._deeds)}", 400)
        try:
            self._deeds[form["do"]](_Deed(payment, form))
        except NotPossibleError as error:
            return refusal(error.message, 400)
        return _back(payment.session.id)

    async def switch(self, request: Request) -> Response:
        """Let something go wrong with webhooks, or send one again."""
        if is_foreign(request):
            return refusal(_FOREIGN, 403)
        form = await form_of(request)
        try:
            if event_id := form.get("resend"):
                self._events.resend(event_id)
            else:
                self._switches.press(form.get("do", ""))
        except NotPossibleError as error:
            return refusal(error.message, 400)
        return _back(form.get("of", ""))

    def _payment(self, request: Request) -> PaymentState | None:
        self._checkouts.expire_due()
        session = self._store.sessions.get(request.path_params["session_id"])
        return None if session is None else PaymentState.of(self._store, session)

    def _version(self) -> str:
        return f"{self._store.version}-{self._switches.version}"

    def _list(self) -> dict[str, Any]:
        self._checkouts.expire_due()
        newest = self._store.sessions.newest(_SHOWN)
        return {
            "payments": [PaymentState.of(self._store, session) for session in newest],
            "total": len(self._store.sessions),
            "version": self._version(),
        }

    def _webhooks(self, session_id: str) -> dict[str, Any]:
        found = self._events_of(session_id) if session_id else reversed(self._store.events)
        return {
            "of": session_id,
            "switches": self._switches.all(),
            "events": [
                {
                    "id": event.id,
                    "type": event.type,
                    "at": moment(event.created),
                    "delivery": event.delivery,
                    "told": _TOLD[event.delivery] + (f", {event.tries} tries" if event.tries > 1 else ""),
                }
                for event in islice(found, _SHOWN)
            ],
            "version": self._version(),
        }

    def _events_of(self, session_id: str) -> Iterator[StripeEvent]:
        session = self._store.sessions.get(session_id)
        ids = {session_id, session and session.payment_intent, session and session.customer} - {None}
        for event in islice(reversed(self._store.events), _LOOKED_AT):
            about = self._store.find(event.subject)
            if about is not None and not ids.isdisjoint({about.id, getattr(about, "payment_intent", None)}):
                yield event


def _back(session_id: str) -> Response:
    return RedirectResponse(
        f"/payments/{quote(session_id, safe='')}" if session_id else "/payments", 303, headers=FORM_HEADERS
    )
