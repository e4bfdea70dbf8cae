"""What became of a play: when each order was reminded of, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tests.e2e.play import Play

_SENT = """
    select number, sent_at at time zone 'UTC' from fleet.reminders
    where order_id = %s and state = 'SENT' order by number
"""
_CHANNELS = """
    select sent_via::text, string_agg(to_char(sent_at at time zone 'UTC', 'MM-DD'), ' ' order by sent_at)
    from payment_reminders where order_id = %s group by 1
"""
_CANCELLED = """
    select c.order_id, c.cancelled_at at time zone 'UTC'
    from fleet.cancellations c join orders o on o.id = c.order_id and o.status = 'CANCELLED'
"""


@dataclass(frozen=True)
class Record:
    """Looks into the database and the sandbox; people by the names that the play has given them."""

    play: Play

    def dates(self, name: str) -> str:
        """When an order was reminded of, such as ``01-27 01-30``."""
        rows: list[tuple[int, datetime]] = self.play.fleet.sql(_SENT, self.play.people[name].order_id)
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
        return " ".join(f"{sent_at:%m-%d}" for _, sent_at in rows)

    def mailed(self, name: str) -> str:
        """When somebody's reminders were accepted as e-mails, whatever the order."""
        return " ".join(f"{each.accepted_at:%m-%d}" for each in self.play.reminders_to(name))

    def channels(self, name: str) -> dict[str, str]:
        """When an order was reminded of on each channel, as the platform's own table has it."""
        return dict(self.play.fleet.sql(_CHANNELS, self.play.people[name].order_id))

    def skipped(self) -> set[tuple[str, int, str]]:
        """The reminders that were claimed and not sent: whose, their numbers, and why."""
        rows = self.play.fleet.sql(
            "select order_id, number, reason from fleet.reminders where state = 'SKIPPED'"
        )
        return {(self._name(order_id), number, reason) for order_id, number, reason in rows}

    def paid(self) -> set[tuple[str, int]]:
        """The reminders that have led to a payment: whose, and their numbers."""
        rows = self.play.fleet.sql("select order_id, number from fleet.reminders where paid_at is not null")
        return {(self._name(order_id), number) for order_id, number in rows}

    def cancelled(self) -> dict[str, str]:
        """Whose orders were given up, and when."""
        rows = self.play.fleet.sql(_CANCELLED)
        return {self._name(order_id): f"{cancelled_at:%m-%d}" for order_id, cancelled_at in rows}

    def categories(self, name: str) -> Counter[str]:
        """What the e-mails to somebody were about."""
        messages = self.play.fleet.messages(self.play.people[name].email)
        return Counter(each.categories[0] for each in messages)

    def _name(self, order_id: object) -> str:
        return next(name for name, each in self.play.people.items() if str(each.order_id) == str(order_id))
