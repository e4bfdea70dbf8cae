"""Whether a person is to be written to: what they have said, read at the moment of sending."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from db.queries import suppressions
from services.notifications import catalogue, outcomes, phones
from services.notifications.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.dispatch import ClaimedRow
    from services.notifications.outcomes import Settlement

ASKED: Final = frozenset({"EMAIL", "SMS", "WHATSAPP"})
"""Channels that a person has a say in. In the app the notification is there in any case."""

RINGING: Final = frozenset({"SMS", "WHATSAPP"})

_SUPPRESSED: Final[Mapping[str, str]] = {
    "STOP": "the person has asked this number to be left alone",
    "HARD_BOUNCE": "the address does not exist",
    "COMPLAINT": "the person has reported us as spam",
    "UNSUBSCRIBE": "the person has unsubscribed at the provider",
    "BY_HAND": "suppressed by hand",
}


@dataclass(frozen=True)
class Consent:
    """What holds for people who have said nothing.

    Attributes:
        region: The country of numbers that are written without one, by its two letters.
        time_zone: Where they live, ``Europe/Paris``.
        quiet: When their phones are to be silent; None: never.
    """

    region: str = "FR"
    time_zone: str = "Europe/Paris"
    quiet: Quiet | None = None

    def refusals(
        self, session: Session, rows: Sequence[ClaimedRow], now: datetime
    ) -> Mapping[UUID, Settlement]:
        """Find what is not to be sent at all, or not now.

        Args:
            session: The transaction of the claim.
            rows: What would be sent.
            now: The time of it.

        Returns:
            By delivery, its end or its wait.
        """
        asked = {row.delivery_id: (row.channel, self._address(row)) for row in rows if row.channel in ASKED}
        found = suppressions.in_force(session, sorted(set(asked.values())))
        refusals: dict[UUID, Settlement] = {}
        for row in rows:
            if row.delivery_id in asked:
                refusal = self._refusal(row, found.get(asked[row.delivery_id]), now)
                if refusal is not None:
                    refusals[row.delivery_id] = refusal
        return refusals

    def silent_until(self, row: ClaimedRow, now: datetime) -> datetime | None:
        """When the person's phone may ring again; None where it may now."""
        quiet = self.quiet
        if row.quiet_from is not None and row.quiet_to is not None:
            quiet = Quiet(row.quiet_from, row.quiet_to)
        return None if quiet is None else quiet.until(now, ZoneInfo(row.time_zone or self.time_zone))

    def _refusal(
        self, row: ClaimedRow, suppressed: tuple[str, datetime] | None, now: datetime
    ) -> Settlement | None:
        if suppressed is not None:
            reason, since = suppressed
            told = f"{_SUPPRESSED[reason]} ({reason}, since {since:%Y-%m-%d %H:%M} UTC)"
            return _refused(row, "suppressed", told)
        if row.channel in row.refused_channels:
            return _refused(row, "refused_channel", f"the person wants nothing by {row.channel}")
        route = catalogue.route(row.template_code)
        if route.category in row.opted_out and not route.mandatory:
            return _refused(
                row, "opted_out", f"the person wants no messages of the category {route.category}"
            )
        until = self.silent_until(row, now) if row.channel in RINGING else None
        return None if until is None else outcomes.silent(row, until)

    def _address(self, row: ClaimedRow) -> str:
        recipient = row.recipient or ""
        if row.channel == "EMAIL":
            return recipient.strip().lower()
        return phones.readable(recipient, self.region)


def _refused(row: ClaimedRow, code: str, why: str) -> Settlement:
    """It ends; an earlier try that nothing was heard of is given up with it."""
    ended = outcomes.not_sent(row, code, why)
    if row.open_token is None:
        return ended
    return replace(ended, token=row.open_token, outcome="NO_EVIDENCE")
