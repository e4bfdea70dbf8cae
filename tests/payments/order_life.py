"""A random life of one order at Stripe, and whatever the fleet may hear of it, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from providers.payments import Dispute
from services.payments.applying import apply_dispute
from tests.payments.till import NOW, PRICE, SETTLED_EVENTS, STEPS, declined, expired, given_back, opened, paid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from providers.payments import Checkout
    from tests.payments.till import Till
    from workers.dev.application import Client

MOVES: Mapping[str, tuple[str, ...]] = {
    "open": ("decline", "pay", "pay", "expire", "decline"),
    "decline": ("decline", "pay", "pay", "expire"),
    "pay": ("refund part", "refund full", "dispute"),
    "refund part": ("refund full", "dispute"),
    "refund full": ("dispute",),
    "dispute": ("close", "refund full"),
    "expire": (),
    "close": (),
}
DISPUTED = ("dispute", "close")


@dataclass(frozen=True)
class Told:
    """A snapshot: of which session, and how far its life was; its place in ``Life.moves`` of that session."""

    session: int
    place: int


@dataclass(frozen=True)
class Life:
    """What happens to each session, and what is told of it.

    Attributes:
        moves: Of each session, in order.
        told: In the order of telling: anything, doubled and stale.
        last: Of each session its last, in the order of telling.
        stale: What is told after that once more.
    """

    moves: Sequence[Sequence[str]]
    told: Sequence[Told]
    last: Sequence[Told]
    stale: Sequence[Told]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    moves: list[list[str]] = []
    for _ in range(draw(st.integers(1, 2))):
        life = ["open"]
        for _ in range(draw(st.integers(0, 6))):
            if following := MOVES[life[-1]]:
                life.append(draw(st.sampled_from(following)))
        moves.append(life)
    all_told = [Told(session, place) for session, life in enumerate(moves) for place in range(len(life))]
    some = st.lists(st.sampled_from(all_told), max_size=8)
    last = [Told(session, len(life) - 1) for session, life in enumerate(moves)]
    return Life(moves, draw(some), draw(st.permutations(last)), draw(some))


class Lived:
    """A life on an order of its own.

    Args:
        till: Where it is lived.
        life: What happens.
    """

    def __init__(self, till: Till, life: Life) -> None:
        self.till, self.life = till, life
        self.client: Client = till.register()
        self._sessions = [opened(self.client) for _ in life.moves]
        self._snapshots = [
            self._walk(session, moves) for session, moves in zip(self._sessions, life.moves, strict=True)
        ]
        # The application names the newest session on the order, as a reminder does.
        till.set_order(self.client, stripe_checkout_session_id=self._sessions[-1].session_id)

    @staticmethod
    def _walk(session: Checkout, moves: Sequence[str]) -> list[Checkout]:
        walked: list[Checkout] = []
        for number, move in enumerate(moves):
            match move:
                case "decline":
                    session = declined(session, number)
                case "pay":
                    session = paid(session)
                case "expire":
                    session = expired(session)
                case "refund part":
                    session = given_back(session, PRICE // 3)
                case "refund full":
                    session = given_back(session)
            walked.append(session)
        return walked

    def tell(self, told: Told) -> None:
        """The payment is told, and its dispute, if there is one by then."""
        checkout = self._snapshots[told.session][told.place]
        self.till.take(checkout)
        told_moves = self.life.moves[told.session][: told.place + 1]
        disputed = [move for move in told_moves if move in DISPUTED]
        if disputed and checkout.payment is not None:
            status = "won" if disputed[-1] == "close" else "needs_response"
            payment_id = checkout.payment.payment_id
            dispute = Dispute(
                payment_id.replace("pi_", "du_"), status, "fraudulent", PRICE, "usd", payment_id
            )
            with self.till.sessions.begin() as session:
                apply_dispute(session, dispute, NOW)

    def live(self) -> None:
        """All is told, and it ends where Stripe is."""
        for told in (*self.life.told, *self.life.last):
            self.tell(told)
        end = self.till.standing(self.client)
        self._ends_where_stripe_is(end)
        for told in (*self.life.stale, *self.life.last):
            self.tell(told)
        # A failure that was missed and is told now has happened all the same.
        again = self.till.standing(self.client)
        assert replace(again, events={}) == replace(end, events={})
        self._ends_where_stripe_is(again)

    def _ends_where_stripe_is(self, end: Any) -> None:
        last = [snapshots[-1] for snapshots in self._snapshots]
        payments = [each.payment for each in last if each.payment_status == "paid" and each.payment]
        failures = sum(move == "decline" for moves in self.life.moves for move in moves)
        assert end.events.get("PAYMENT_FAILED", 0) <= failures
        assert end.refunded == {each.payment_id: each.refunded for each in payments if each.refunded}
        assert end.notices == (end.order == "REFUNDED")
        assert end.findings.get("DISPUTE", 0) == sum("dispute" in moves for moves in self.life.moves)
        self._disputes_stand_as_stripes()
        settled = {name: end.events.get(name, 0) for name in SETTLED_EVENTS}
        if not payments:
            assert (end.order, end.dossiers, end.steps) == ("PENDING", 0, 0)
            assert settled == dict.fromkeys(SETTLED_EVENTS, 0)
            assert end.profile in self._unpaid_profiles(last)
            return
        assert (end.profile, end.dossiers, end.steps) == ("ACTIVE", 1, STEPS)
        assert settled == SETTLED_EVENTS
        assert end.findings.get("SECOND_PAYMENT", 0) == len(payments) - 1
        assert end.order in self._paid_orders([each.refunded >= PRICE for each in payments])
        assert self.till.order(self.client).amount == PRICE

    @staticmethod
    def _paid_orders(given_back_in_full: list[bool]) -> set[str]:
        """An order once REFUNDED stays so, though it be paid again: that is the second payment's finding."""
        if all(given_back_in_full):
            return {"REFUNDED"}
        return {"PAID", "REFUNDED"} if any(given_back_in_full) else {"PAID"}

    def _unpaid_profiles(self, last: Sequence[Checkout]) -> set[str]:
        ended = last[-1].status == "expired"
        failed = any(each.payment is not None and each.payment.failure_key is not None for each in last)
        return {"SUSPENDED"} if ended or failed else {"PENDING", "SUSPENDED"}

    def _disputes_stand_as_stripes(self) -> None:
        open_ones = sum("dispute" in moves and "close" not in moves for moves in self.life.moves)
        found = [finding for finding in self.till.findings(self.client) if finding.kind == "DISPUTE"]
        assert sum(finding.details["status"] == "needs_response" for finding in found) == open_ones
