"""How far the sweeps of Stripe's lists have come: one at a time of each name, resumed at its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class SweepState:
    """A sweep as it stands; a window without an end is none.

    Attributes:
        swept_until: Everything up to here was seen to its last page; None before the first time.
        since: Where the window under way begins.
        until: Where it ends.
        page_after: Where its next page begins; None for the first.
        held: Whether somebody is at it.
    """

    swept_until: datetime | None
    since: datetime | None
    until: datetime | None
    page_after: str | None
    held: bool


_READ = text("""
    select swept_until, since, until, page_after, coalesce(lease_until > :now, false) as held
    from fleet.sweeps where name = :name
    for update
""")

_ENSURE = text("insert into fleet.sweeps (name) values (:name) on conflict do nothing")

_BEGIN = text("""
    update fleet.sweeps
    set since = :since, until = :until, page_after = :page_after, lease_until = :lease_until,
        pages = case when cast(:page_after as text) is null then 0 else pages end
    where name = :name
""")

# The lease's own end tells whose it is: whoever has lost it moves nothing.
_ADVANCE = text("""
    update fleet.sweeps set page_after = :page_after, lease_until = :lease_until, pages = pages + 1
    where name = :name and lease_until = :held
    returning name
""")

_FINISH = text("""
    update fleet.sweeps
    set swept_until = greatest(swept_until, until), since = null, until = null, page_after = null,
        lease_until = null, pages = pages + 1, finished_at = :now
    where name = :name and lease_until = :held
    returning name
""")

_RELEASE = text("update fleet.sweeps set lease_until = null where name = :name and lease_until = :held")


def read(session: Session, name: str, now: datetime) -> SweepState:
    """A sweep as it stands, held for this transaction; one that never was is made."""
    session.execute(_ENSURE, {"name": name})
    return SweepState(**session.execute(_READ, {"name": name, "now": now}).mappings().one())


def begin(  # noqa: PLR0913, PLR0917 - a row's own columns
    session: Session,
    name: str,
    since: datetime,
    until: datetime,
    page_after: str | None,
    lease_until: datetime,
) -> None:
    """Begin a window, or go on with it, until the lease ends."""
    values = {"since": since, "until": until, "page_after": page_after, "lease_until": lease_until}
    session.execute(_BEGIN, values | {"name": name})


def advance(session: Session, name: str, page_after: str, held: datetime, lease_until: datetime) -> bool:
    """Go on to the next page; False where the lease is somebody else's by now."""
    values = {"name": name, "page_after": page_after, "held": held, "lease_until": lease_until}
    return session.scalar(_ADVANCE, values) is not None


def finish(session: Session, name: str, held: datetime, now: datetime) -> bool:
    """The last page of the window is done; False where the lease is somebody else's by now."""
    return session.scalar(_FINISH, {"name": name, "held": held, "now": now}) is not None


def release(session: Session, name: str, held: datetime) -> None:
    """Leave the window to whoever comes next, at once."""
    session.execute(_RELEASE, {"name": name, "held": held})
