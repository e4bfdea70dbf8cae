"""Last runs of the timetable's entries, and whose turn it is: claimed by one, run by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from db import json_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """An entry's last run.

    Attributes:
        name: The entry's.
        since: When it was first seen.
        claim: A run that was called and has not begun.
        run: One that has begun and not come to its end: under way, or its worker is dead.
        lease_until: Until when nobody else calls another.
        started_at: When the last one began.
        finished_at: When one last ended.
        took: How long that one took.
        result: What it said.
        error: The class of the error that it ended with instead.
        runs: How often one has begun.
    """

    name: str
    since: datetime
    claim: UUID | None
    run: UUID | None
    lease_until: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    took: timedelta | None
    result: str | None
    error: str | None
    runs: int

    def held(self, now: datetime) -> bool:
        """Whether a run is called or under way."""
        return self.lease_until is not None and self.lease_until > now


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        result: What it has to say; None where it failed.
        error: The class of the error; None where it did not.
        unfinished: Whether it was asked to stop before its end: the entry is due again at once.
    """

    result: str | None
    error: str | None = None
    unfinished: bool = False


_READ = text("""
    select name, since, claim, run, lease_until, started_at, finished_at, took, result, error, runs
    from fleet.schedule
""")

_ADD = text("""
    insert into fleet.schedule (name, since) select unnest(cast(:names as text[])), :now
    on conflict do nothing
""")

# Whoever has seen the row as it still is has it; of two who have seen the same, the first. Rows that somebody
# is just writing are passed over: they are no longer as they were.
_CLAIM = text("""
    with free as (
      select s.name, w.token
      from fleet.schedule s
      join jsonb_to_recordset(cast(:rows as jsonb))
        as w(name text, token uuid, claim uuid, run uuid, runs bigint) on w.name = s.name
      where s.claim is not distinct from w.claim and s.run is not distinct from w.run and s.runs = w.runs
        and (s.lease_until is null or s.lease_until <= :now)
      for update of s skip locked
    )
    update fleet.schedule s
    set claim = free.token, claimed_at = :now, lease_until = :lease_until
    from free where s.name = free.name
    returning s.name, s.claim
""")

# Never before the claim, whose clock may be ahead: the entry would be due a second time.
_BEGIN = text("""
    update fleet.schedule
    set claim = null, run = :run, lease_until = :lease_until, started_at = greatest(:now, claimed_at),
        runs = runs + 1
    where name = :name and claim = :claim
    returning true
""")

_RENEW = text("""
    update fleet.schedule set lease_until = :lease_until where name = :name and run = :run and claim is null
    returning true
""")

# A run that was taken for dead and has come to its end after all counts, and nobody has to run another.
_FINISH = text("""
    update fleet.schedule
    set finished_at = :now, took = greatest(:now - started_at, interval '0'), result = :result,
        error = :error, run = case when :unfinished then run end, claim = null,
        lease_until = case when :unfinished then cast(:now as timestamptz) end
    where name = :name and run = :run
    returning true
""")


def read(session: Session) -> Mapping[str, ScheduleRow]:
    """All entries that were ever seen, by name."""
    return {row["name"]: ScheduleRow(**row) for row in session.execute(_READ).mappings()}


def add(session: Session, names: Collection[str], now: datetime) -> None:
    """Remember entries from now on; those that are known stay as they are."""
    session.execute(_ADD, {"names": sorted(names), "now": now})


def claim(
    session: Session, seen: Sequence[tuple[ScheduleRow, UUID]], now: datetime, lease_until: datetime
) -> Mapping[str, UUID]:
    """Call a run of each entry, under a token of its own.

    Args:
        session: The transaction.
        seen: The rows as they were read, each with the token to claim it with.
        now: The time.
        lease_until: By when the run must have begun, or another may be called.

    Returns:
        The tokens of those that are now the caller's, by name. What has changed since it was read is not.
    """
    rows = [
        {"name": row.name, "token": token, "claim": row.claim, "run": row.run, "runs": row.runs}
        for row, token in seen
    ]
    values = {"rows": json_rows.dumps(rows), "now": now, "lease_until": lease_until}
    return {row.name: row.claim for row in session.execute(_CLAIM, values)}


def begin(  # noqa: PLR0913, PLR0917 - a row's own columns
    session: Session, name: str, claim: UUID, run: UUID, now: datetime, lease_until: datetime
) -> bool:
    """Trade a claim for a run; False where it is no longer, or never was, the entry's."""
    values = {"name": name, "claim": claim, "run": run, "now": now, "lease_until": lease_until}
    return bool(session.scalar(_BEGIN, values))


def renew(session: Session, name: str, run: UUID, lease_until: datetime) -> bool:
    """Keep a run's entry for longer; False where another has been called meanwhile."""
    return bool(session.scalar(_RENEW, {"name": name, "run": run, "lease_until": lease_until}))


def finish(session: Session, name: str, run: UUID, ending: Ending, now: datetime) -> bool:
    """Write how a run ended; False where another has begun meanwhile."""
    values = {"result": ending.result, "error": ending.error, "unfinished": ending.unfinished}
    return bool(session.scalar(_FINISH, values | {"name": name, "run": run, "now": now}))
