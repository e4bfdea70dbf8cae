"""Compares a window of Stripe's payments and refunds with the platform's orders, both ways."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import reconciling
from providers.payments import Page, Payment, Refund, Window
from services.payments.asking import SUCCEEDED, named_order
from services.payments.comparing import Verdict, compare
from services.payments.rehearsal import transaction
from services.payments.reports import Report, quietly
from services.payments.walking import LAG, Listing, Walk, Walker, whole
from services.payments.words import FindingKind, Learned, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.reconciling import AskableOrder, PaidOrder
    from db.queries.sweeps import SweepState
    from services.payments.asking import Cashier

SPAN: Final = timedelta(days=3)
PAYMENTS: Final = "payments"
REFUNDS: Final = "refunds"

_GOOD: Final = frozenset({Outcome.SETTLED, Outcome.ALREADY, Outcome.REFUNDED, Outcome.PARTLY_REFUNDED})


@dataclass(frozen=True)
class DailyCheck:
    """Looks for what is missing on either side, or does not agree. Costs pages, and a question a mismatch.

    Attributes:
        walker: Walks through the lists.
        cashier: Asks and applies; where it rehearses only, so must the walker.
    """

    walker: Walker
    cashier: Cashier

    def run(
        self,
        should_stop: Callable[[], bool],
        *,
        since: datetime | None = None,
        tell: Callable[[Report], object] = quietly,
    ) -> Report:
        """Compare a window.

        Args:
            should_stop: Asked between pages.
            since: Where the window begins; three days ago where it is not given.
            tell: Is told after each page.
        """
        report = Report("daily")
        comparison = _Comparison(self.cashier, self.walker, report)
        provider, span = self.cashier.provider, _from(since)
        payments = Listing(PAYMENTS, span, provider.payments, comparison.payments, _kept)
        refunds = Listing(REFUNDS, span, provider.refunds, comparison.refunds, _kept)
        # One that stopped among the refunds was done with the payments.
        done = since is None and self.walker.under_way(REFUNDS)
        if done or self.walker.walk(payments, report, should_stop, tell) is not None:
            self.walker.walk(refunds, report, should_stop, tell)
        return report


@dataclass(frozen=True)
class _Comparison:
    """One run's comparison of pages; ``shown`` are the payments that were on them."""

    cashier: Cashier
    walker: Walker
    report: Report
    shown: set[str] = field(default_factory=set)

    def payments(self, window: Window, page: Page[Payment]) -> None:
        """Compare a page of payments; after the last one, the orders that no page has shown."""
        self._compare(page.items)
        if page.after is None:
            self._missing(window)

    def refunds(self, window: Window, page: Page[Refund]) -> None:
        """Compare a page of refunds: those of payments older than the window are on no page of payments."""
        del window
        back: Counter[str] = Counter()
        for refund in page.items:
            if refund.payment_id is not None and refund.status == SUCCEEDED:
                back[refund.payment_id] += refund.amount
        with self.walker.sessions() as session:
            rows = json_rows.dumps({"payment_id": each, "named": None} for each in back)
            known = reconciling.of_payments(session, rows)
        for payment_id, amount in back.items():
            order = known.get(payment_id)
            if order is None or (order.known_refunded is None and order.status == "REFUNDED"):
                continue
            self.report.checked += 1
            if amount > (order.known_refunded or 0):
                self.report.calls += 1
                self.report.take(payment_id, self.cashier.payment(payment_id, Learned.CHECK))

    def _compare(self, payments: Sequence[Payment]) -> None:
        with self.walker.sessions() as session:
            rows = json_rows.dumps(
                {"payment_id": each.payment_id, "named": named_order(each)} for each in payments
            )
            orders = reconciling.of_payments(session, rows)
        seen: list[dict[str, object]] = []
        self.shown.update(each.payment_id for each in payments)
        for payment in payments:
            order = orders.get(payment.payment_id)
            verdict = compare(payment, order)
            self.report.checked += verdict is not Verdict.IGNORED
            if verdict is Verdict.ASK:
                self._ask(payment, order)
            elif order is not None and verdict is not Verdict.IGNORED:
                self._disagreement(verdict, payment, order)
                if order.paid_with == payment.payment_id:
                    seen.append(_row(payment, order.order_id))
        with transaction(self.walker.sessions, dry_run=self.walker.dry_run) as session:
            reconciling.mark_seen(session, json_rows.dumps(seen), self.walker.clock())

    def _ask(self, payment: Payment, order: PaidOrder | None) -> None:
        self.report.calls += 1
        applied = self.cashier.listed(payment, Learned.CHECK)
        self.report.take(payment.payment_id, applied)
        named = named_order(payment)
        if order is None and named is not None and applied.outcome is Outcome.FOREIGN:
            details = {"order_id": named, "received": payment.received, "currency": payment.currency}
            done = "nothing: there is no such order"
            self._found(FindingKind.PAYMENT_WITHOUT_ORDER, payment.payment_id, details, done, None)

    def _disagreement(self, verdict: Verdict, payment: Payment, order: PaidOrder) -> None:
        details: dict[str, object] = {"payment_intent": payment.payment_id, "order_status": order.status}
        if verdict is Verdict.AMOUNT:
            details |= {"expected": order.amount, "expected_currency": order.currency.lower()}
            details |= {"received": payment.received, "received_currency": payment.currency}
            done = f"nothing: the order is {order.status}"
            self._found(FindingKind.AMOUNT_MISMATCH, payment.payment_id, details, done, order.order_id)
        elif verdict is Verdict.NOT_GIVEN_BACK:
            details |= {"received": payment.received, "given_back": payment.refunded}
            kind, done = FindingKind.REFUNDED_WITHOUT_REFUND, "nothing: give it back at Stripe"
            self._found(kind, payment.payment_id, details, done, order.order_id)

    def _missing(self, window: Window) -> None:
        """The orders PAID in the window whose payment was on no page."""
        with self.walker.sessions() as session:
            # What an earlier run has been shown in this window is marked; this one's own is remembered too,
            # for where nothing may be marked.
            orders = reconciling.unseen(session, window.since, window.until, window.until)
            missing = [order for order in orders if order.payment_id not in self.shown]
        for order in missing:
            self.report.checked += 1
            if order.payment_id is None:
                self._without_payment(order)
            else:
                self._look_up(order, order.payment_id)

    def _look_up(self, order: AskableOrder, payment_id: str) -> None:
        self.report.calls += 1
        payment = self.cashier.provider.payment(payment_id)
        if payment is not None and payment.status == SUCCEEDED:
            self._compare([payment])
            return
        status = payment.status if payment else None
        said = f"is {payment.status}" if payment else "is not known to Stripe"
        done = f"nothing: the order is PAID, its payment {said}"
        kind = FindingKind.PAID_WITHOUT_PAYMENT
        details = {"payment_intent": payment_id, "payment_status": status}
        self._found(kind, str(order.order_id), details, done, order.order_id)

    def _without_payment(self, order: AskableOrder) -> None:
        """Its session may know the payment, or that none was required."""
        if order.session_id is not None:
            self.report.calls += 1
            applied = self.cashier.checkout(order.session_id, Learned.CHECK)
            self.report.take(order.session_id, applied)
            if applied.outcome in _GOOD:
                return
        kind, done = FindingKind.PAID_WITHOUT_INTENT, "nothing: the order is PAID and names no payment"
        self._found(kind, str(order.order_id), {"session_id": order.session_id}, done, order.order_id)

    def _found(
        self,
        kind: FindingKind,
        subject: str,
        details: Mapping[str, object],
        done: str,
        order_id: UUID | None,
    ) -> None:
        self.cashier.found(kind, subject, details, done, order_id)
        self.report.find(subject, kind, order_id)


def _row(payment: Payment, order_id: UUID) -> dict[str, object]:
    wanted = ("payment_id", "status", "currency", "refunded", "disputed", "created_at")
    row = asdict(payment)
    return {name: row[name] for name in wanted} | {"order_id": order_id, "amount": payment.amount}


def _from(since: datetime | None) -> Callable[[SweepState, datetime], Window]:
    def span(state: SweepState, now: datetime) -> Window:
        del state
        return Window(whole(since or now - SPAN), whole(now - LAG))

    return span


def _kept(session: Session, walk: Walk, page: Page[Payment] | Page[Refund]) -> bool:
    """What there is to keep is kept by the look."""
    del session, walk, page
    return False
