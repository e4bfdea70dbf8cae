"""Paused channels: who may send now, and who tries first when a pause is over."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


class Gate(Enum):
    """How far a channel is open."""

    OPEN = auto()
    PROBE = auto()
    """One message may go, to see whether the provider takes it again."""
    CLOSED = auto()


KINDS = ["RATE_LIMITED", "FAILING", "MISCONFIGURED", "BY_HAND"]
"""Why a channel is paused: the later ones are not given up for the earlier ones."""

PROBED = ["FAILING", "MISCONFIGURED"]
"""Pauses that end with a message that the provider takes, not with their time."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a channel is not worked off, and until when."""

    channel: str
    kind: str
    code: str
    detail: str
    paused_at: datetime
    paused_until: datetime
    strikes: int = 1


_READ = text("select channel, kind, code, detail, paused_at, paused_until, strikes from fleet.channels")

_TAKE_PROBE = text("""
    update fleet.channels set paused_until = :until
    where channel = :channel and kind = any(:probed) and paused_until <= :now
    returning channel
""")

# A longer pause is never cut short by a milder answer that was under way at the same time, and a person's
# pause by nothing but a person.
_PAUSE = text("""
    insert into fleet.channels as c (channel, kind, code, detail, paused_at, paused_until)
    values (:channel, :kind, :code, :detail, :paused_at, :paused_until)
    on conflict (channel) do update
    set kind = excluded.kind, code = excluded.code, detail = excluded.detail,
        strikes = c.strikes + case when c.paused_until <= :paused_at or :probe then 1 else 0 end,
        paused_until = case when :probe then excluded.paused_until
                       else greatest(c.paused_until, excluded.paused_until) end
    where array_position(:kinds, excluded.kind) >= array_position(:kinds, c.kind)
      or (:probe and c.kind <> 'BY_HAND')
""")

_STRIKES = text("select strikes from fleet.channels where channel = :channel and kind = any(:probed)")
_GIVE_BACK = text("update fleet.channels set paused_until = :now where channel = :channel")
_RESUME = text("delete from fleet.channels where channel = :channel")


def pauses(session: Session) -> list[Pause]:
    """All pauses on record, over or not."""
    return [Pause(**row) for row in session.execute(_READ).mappings()]


def gate(session: Session, channel: str, now: datetime, probe_until: datetime) -> Gate:
    """Say whether a channel may send.

    A channel that was paused because our credentials were refused, or because its provider kept failing,
    opens for one worker and one message at a time: whoever gets the probe holds it until ``probe_until``.
    """
    pause = next((p for p in pauses(session) if p.channel == channel), None)
    if pause is None:
        return Gate.OPEN
    if pause.paused_until > now:
        return Gate.CLOSED
    if pause.kind not in PROBED:
        resume(session, channel)
        return Gate.OPEN
    values = {"channel": channel, "now": now, "until": probe_until, "probed": PROBED}
    taken = session.scalar(_TAKE_PROBE, values)
    return Gate.CLOSED if taken is None else Gate.PROBE


def strikes(session: Session, channel: str) -> int:
    """How often in a row the channel was paused for the same trouble."""
    return session.scalar(_STRIKES, {"channel": channel, "probed": PROBED}) or 0


def pause(session: Session, wanted: Pause, *, after_probe: bool) -> None:
    """Close a channel until a time, or keep it closed for longer.

    Args:
        session: The transaction.
        wanted: The pause; its strikes are counted here.
        after_probe: Whether the message that was refused was a probe: another strike.
    """
    session.execute(_PAUSE, asdict(wanted) | {"probe": after_probe, "kinds": KINDS})


def give_probe_back(session: Session, channel: str, now: datetime) -> None:
    """Let the next one probe: there was nothing to send."""
    session.execute(_GIVE_BACK, {"channel": channel, "now": now})


def resume(session: Session, channel: str) -> None:
    """Open a channel."""
    session.execute(_RESUME, {"channel": channel})
