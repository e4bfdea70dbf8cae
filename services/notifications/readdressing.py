"""Where a failed delivery goes when it is sent once more: to the address that its account has now.

Only what the fleet has addressed itself goes elsewhere. What the application has addressed keeps its address,
and so does a letter: it holds the secret of a payment link, which is not to be told to a second person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import addresses, suppressions
from services.notifications import authorship, phones
from services.notifications.consent import ASKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.addresses import Addressed, SentAnew

NO_EMAIL: Final = "the account has no e-mail address any more"
NO_PHONE: Final = "the profile has no phone number any more"
OTHER_HOLDER: Final = "its payment link bears another address now: make another link with fleet links create"

_LIFT: Final = "or lift it with fleet unsuppress"
_MENDS: Final[Mapping[str, str]] = {
    "present": "the account's present address is suppressed ({reason}): mend it there, " + _LIFT,
    "unchanged": "its address is suppressed ({reason}): mend that of the account, " + _LIFT,
    "foreign": "its address is suppressed ({reason}), and is the application's: mend its recipient, " + _LIFT,
    "letter": "its address is suppressed ({reason}): make a link for another with fleet links create, "
    + _LIFT,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """Where one goes.

    Attributes:
        delivery_id: The delivery, or letter.
        address: Where to.
        moved: Whether that is another address than the one it was made with.
        obstacle: Why it does not go at all, and the mend.
    """

    delivery_id: UUID
    address: str
    moved: bool = False
    obstacle: str | None = None


def goals(session: Session, ids: Sequence[UUID], region: str) -> Mapping[UUID, Goal]:
    """Where these go; by the delivery's id.

    Args:
        session: A transaction.
        ids: Deliveries and letters that have failed.
        region: The country of numbers that are written without one, by its two letters.
    """
    rows = addresses.of(session, ids)
    found = {row.delivery_id: _goal(row, region) for row in rows}
    keys = {
        row.delivery_id: (row.channel, _plain(row.channel, found[row.delivery_id].address, region))
        for row in rows
        if row.channel in ASKED
    }
    suppressed = suppressions.in_force(session, sorted(set(keys.values())))
    for row in rows:
        goal = found[row.delivery_id]
        said = suppressed.get(keys.get(row.delivery_id, ("", "")))
        if said is not None and goal.obstacle is None:
            why = _MENDS[_kind(row, goal)].format(reason=said[0])
            found[row.delivery_id] = Goal(goal.delivery_id, goal.address, goal.moved, why)
    return found


def send_anew(session: Session, moved: Iterable[Goal]) -> list[SentAnew]:
    """Give deliveries that go elsewhere another in their place, and say which.

    Args:
        session: The transaction, which holds the deliveries.
        moved: Those that do.
    """
    rows = [
        {"id": goal.delivery_id, "sent_as": authorship.after(goal.delivery_id), "recipient": goal.address}
        for goal in moved
    ]
    return addresses.send_anew(session, json_rows.dumps(rows)) if rows else []


def _goal(row: Addressed, region: str) -> Goal:
    here = Goal(row.delivery_id, row.recipient)
    if row.channel not in ASKED:
        return here
    now = row.email if row.channel == "EMAIL" else row.phone
    there = now is not None and _plain(row.channel, now, region) != _plain(row.channel, row.recipient, region)
    if row.notification_id is None:
        return Goal(row.delivery_id, row.recipient, obstacle=OTHER_HOLDER) if there else here
    if not _from_the_account(row, row.notification_id):
        return here
    if now is None:
        return Goal(row.delivery_id, row.recipient, obstacle=NO_EMAIL if row.channel == "EMAIL" else NO_PHONE)
    if not there:
        return here
    address = now if row.channel == "EMAIL" else phones.readable(now, region)
    return Goal(row.delivery_id, address, moved=True)


def _from_the_account(row: Addressed, notification_id: UUID) -> bool:
    """Whether the fleet took its address from the account, at the first or for the one it took over from."""
    if row.from_id is not None and row.from_channel is not None:
        return authorship.ours(row.from_id, notification_id, row.from_channel, row.known)
    return authorship.ours(row.delivery_id, notification_id, row.channel, row.known)


def _kind(row: Addressed, goal: Goal) -> str:
    if row.notification_id is None:
        return "letter"
    if goal.moved:
        return "present"
    return "unchanged" if _from_the_account(row, row.notification_id) else "foreign"


def _plain(channel: str, address: str, region: str) -> str:
    """As suppressions name it."""
    return address.strip().lower() if channel == "EMAIL" else phones.readable(address, region)
