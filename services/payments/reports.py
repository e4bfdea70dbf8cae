"""What a sweep has done, for the command line and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.payments.words import Applied, Outcome

if TYPE_CHECKING:
    from uuid import UUID

QUIET: Final = frozenset({Outcome.ALREADY, Outcome.WAITING, Outcome.FOREIGN})
"""Outcomes that changed nothing."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One thing that a sweep has stored, changed or found; in a dry run, that it would have.

    Attributes:
        id: Stripe's id of it.
        said: What became of it.
        order_id: The order that it belongs to.
    """

    id: str
    said: str
    order_id: UUID | None = None


@dataclass(slots=True)
class Report:
    """What a sweep has done so far.

    Attributes:
        sweep: Its name.
        pages: Of Stripe's lists.
        new: Events that were stored.
        checked: Things that were compared with Stripe.
        settled: Orders that it turned out to have been paid.
        found: What does not agree.
        calls: Questions to Stripe.
        busy: Whether another was at it, so that this one left it alone.
        stopped: Why it ended before its end: a code, or ``asked``.
        noted: What was stored, changed or found, one by one.
    """

    sweep: str
    pages: int = 0
    new: int = 0
    checked: int = 0
    settled: int = 0
    found: int = 0
    calls: int = 0
    busy: bool = False
    stopped: str | None = None
    noted: list[Noted] = field(default_factory=list)

    def take(self, stripes_id: str, applied: Applied) -> None:
        """Count what became of an order."""
        self.settled += applied.outcome is Outcome.SETTLED
        self.found += applied.outcome in {Outcome.FOUND, Outcome.DISPUTED}
        if applied.outcome not in QUIET:
            said = f"{applied.outcome} {applied.detail}".rstrip()
            self.noted.append(Noted(stripes_id, said, applied.order_id))

    def find(self, stripes_id: str, kind: str, order_id: UUID | None) -> None:
        """Count something that does not agree."""
        self.found += 1
        self.noted.append(Noted(stripes_id, f"FOUND {kind}", order_id))

    def line(self) -> str:
        """Say it in a line."""
        if self.busy and not self.pages:
            return f"{self.sweep}: another is at it"
        counts = [
            f"{count} {what}"
            for count, what in (
                (self.pages, "page" if self.pages == 1 else "pages"),
                (self.new, "new"),
                (self.checked, "checked"),
                (self.settled, "settled"),
                (self.found, "found"),
            )
            if count
        ]
        counts.append(f"{self.calls} {'call' if self.calls == 1 else 'calls'}")
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"{self.sweep}: {', '.join(counts)}{stopped}"


def quietly(report: Report) -> None:
    """Tell nobody."""
    del report
