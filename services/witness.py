"""Who follows the work is told of it, by ids alone, once what was done is committed.

Nobody follows it by default: then nothing is made, kept or asked. Like logging it is no part of the work: a
witness that fails takes nothing with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, ParamSpec

from sqlalchemy import event
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

log = logging.getLogger(__name__)

ROOT: Final = "root"
"""The id of the moment that all others of a trace follow from."""

_TOLD: Final = "told"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that was done, and how long it took.

    Attributes:
        name: What it was, in a word.
        trace: What it follows from: an event, or the notification or letter that none stands behind.
        id: Unique within the trace, and the same whoever tells it however often.
        parent: The id of the moment that led to it; None where nothing did.
        began_at: When it began, by the clock of whoever wrote it down.
        ended_at: When it ended.
        about: Ids, and words of the fleet's own; never an address, a name or a body.
        failed: Whether it came to a bad end.
    """

    name: str
    trace: UUID
    id: str
    parent: str | None
    began_at: datetime
    ended_at: datetime
    about: Mapping[str, object] = field(default_factory=dict)
    failed: bool = False


Witness = Callable[[Iterable[Moment]], None]
"""Is told moments as they come to pass, from many threads at once. It must not wait."""

P = ParamSpec("P")
_witness: Witness | None = None


def watch(witness: Witness) -> None:
    """Have one told from now on, in this process, instead of whoever was."""
    global _witness  # noqa: PLW0603 - as with the handlers of logging, there is one for the process
    if _witness is None:
        event.listen(Session, "after_commit", _pass_on)
        event.listen(Session, "after_soft_rollback", _forget)
    _witness = witness


def unwatch() -> None:
    """Tell nobody any more."""
    global _witness  # noqa: PLW0603 - as above
    if _witness is not None:
        event.remove(Session, "after_commit", _pass_on)
        event.remove(Session, "after_soft_rollback", _forget)
    _witness = None


def present() -> bool:
    """Whether there is anybody to be told."""
    return _witness is not None


def tell(session: Session, say: Callable[P, Iterable[Moment]], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Tell what a transaction does when it commits; of one that is taken back nothing is told.

    Args:
        session: The transaction.
        say: Puts it into moments; called after the commit, so it may not use the session.
        args: For ``say``.
        kwargs: For ``say``.
    """
    if _witness is not None:
        session.info.setdefault(_TOLD, []).append(partial(say, *args, **kwargs))


def _pass_on(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for say in session.info.pop(_TOLD, ()):
        try:
            if _witness is not None:
                _witness(say())
        except Exception as error:  # noqa: BLE001 - the work is done, whatever comes of telling it
            log.warning("a trace has a hole: its telling failed with %s", type(error).__name__)


def _forget(session: Session, previous: object) -> None:
    del previous
    session.info.pop(_TOLD, None)
