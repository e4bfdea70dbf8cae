"""What became of one claimed delivery, as the row that settles it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from services.notifications.retry import Await, Decision, Retry, Snooze, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from db.queries.dispatch import ClaimedRow
    from providers.base import Receipt
    from providers.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Settlement:
    """One row for ``dispatch.settle``.

    ``state`` is the delivery's last word (SENT, FAILED), GONE (nothing to send any more), WAITING (due again
    later) or PARKED (our own fault; by hand). ``outcome`` closes the attempt; None leaves it open.
    """

    delivery_id: UUID
    state: str
    tries: int
    token: UUID | None = None
    due_at: datetime | None = None
    outcome: str | None = None
    code: str | None = None
    message: str | None = None
    provider: str | None = None
    message_id: str | None = None
    segments: int | None = None
    response: Mapping[str, object] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """As a row of the settling statement."""
        return asdict(self)


Tell = Callable[[Settlement], object]
"""Is told what became of a delivery."""


def to_nobody(settlement: Settlement) -> None:
    """For those who only want it done."""
    del settlement


def accepted(claimed: ClaimedRow, token: UUID, receipt: Receipt) -> Settlement:
    """The provider has taken it."""
    return Settlement(
        delivery_id=claimed.delivery_id,
        token=token,
        state="SENT",
        tries=claimed.tries + 1,
        outcome="ACCEPTED",
        provider=receipt.provider,
        message_id=receipt.message_id,
        segments=receipt.segments,
        response=receipt.response,
    )


def refused(
    claimed: ClaimedRow, token: UUID, provider: str, error: ProviderError, decision: Decision
) -> Settlement:
    """The provider has not taken it, or nobody knows."""
    waiting = Settlement(
        delivery_id=claimed.delivery_id,
        token=token,
        state="WAITING",
        tries=claimed.tries + 1,
        outcome="DEFERRED",
        code=error.code,
        message=error.detail,
        provider=provider,
    )
    match decision:
        case Retry(at):
            return replace(waiting, due_at=at)
        case Snooze(at):
            return replace(waiting, due_at=at, tries=claimed.tries)
        case Await(until):
            return replace(waiting, due_at=until, outcome=None)
        case Stop():
            response = _explanation(error.code, error.detail)
            return replace(waiting, state="FAILED", outcome="REFUSED", response=response)


def not_sent(claimed: ClaimedRow, code: str, why: str) -> Settlement:
    """It ends without a try, and says why."""
    return Settlement(
        delivery_id=claimed.delivery_id,
        state="FAILED",
        tries=claimed.tries,
        code=code,
        response=_explanation(code, why),
    )


def gone(claimed: ClaimedRow) -> Settlement:
    """There is nothing to send any more: the row has vanished, or has its last word already."""
    return Settlement(delivery_id=claimed.delivery_id, state="GONE", tries=claimed.tries)


def still_unknown(claimed: ClaimedRow, until: datetime) -> Settlement:
    """An earlier attempt's outcome is not known yet: due again when its evidence is overdue."""
    return Settlement(delivery_id=claimed.delivery_id, state="WAITING", tries=claimed.tries, due_at=until)


def silent(claimed: ClaimedRow, until: datetime) -> Settlement:
    """The person's phone is not to ring now: due again when it may, no try burnt."""
    return replace(still_unknown(claimed, until), code="quiet_hours")


def paced(claimed: ClaimedRow, token: UUID, code: str, why: str, until: datetime) -> Settlement:
    """A limit of ours was reached between the claim and the send: due again later, no try burnt."""
    return Settlement(
        delivery_id=claimed.delivery_id,
        token=token,
        state="WAITING",
        tries=claimed.tries,
        due_at=until,
        outcome="NOT_SENT",
        code=code,
        message=why,
    )


def held(claimed: ClaimedRow) -> Settlement:
    """Nothing was heard of an earlier attempt in time; a person decides, and it stays open for evidence."""
    return Settlement(
        delivery_id=claimed.delivery_id, state="PARKED", tries=claimed.tries, code="unknown_outcome"
    )


def superseded(claimed: ClaimedRow) -> Settlement:
    """The message has arrived on the channel before this one after all: nothing is sent again."""
    return Settlement(
        delivery_id=claimed.delivery_id,
        token=claimed.open_token,
        state="FAILED",
        tries=claimed.tries,
        outcome="NO_EVIDENCE" if claimed.open_token else None,
        code="superseded",
        response=_explanation("superseded", f"delivered on {claimed.arrived_on} after all"),
    )


def link_over(claimed: ClaimedRow) -> Settlement:
    """The payment link that it is about is of no use any more."""
    why = "the payment link was used, or ran out, before this was sent"
    return replace(
        not_sent(claimed, "link_over", why),
        token=claimed.open_token,
        outcome="NO_EVIDENCE" if claimed.open_token else None,
    )


def given_up(claimed: ClaimedRow) -> Settlement:
    """Sent as often as may be, and nothing was heard of it: no more, for it may have come each time."""
    why = f"sent {claimed.unproved + 1} times, and the provider neither answered nor reported on any of them"
    return Settlement(
        delivery_id=claimed.delivery_id,
        token=claimed.open_token,
        state="FAILED",
        tries=claimed.tries,
        outcome="NO_EVIDENCE",
        code="no_evidence",
        response=_explanation("no_evidence", why),
    )


def parked(claimed: ClaimedRow, token: UUID, error: Exception) -> Settlement:
    """Our own fault, and surely not sent: kept aside with its error until someone has mended it."""
    return Settlement(
        delivery_id=claimed.delivery_id,
        token=token,
        state="PARKED",
        tries=claimed.tries,
        outcome="NOT_SENT",
        code=type(error).__name__,
        message="not sent: the fleet could not prepare it; the worker's log has the details",
    )


def _explanation(code: str, detail: str) -> dict[str, object]:
    return {"code": code, "error": detail}
