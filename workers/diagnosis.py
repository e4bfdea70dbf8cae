"""What an examination of the fleet says: each thing looked at, how it is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime, timedelta


class State(StrEnum):
    """How something is."""

    OK = "ok"
    ADVICE = "advice"
    """It works, and would work better otherwise."""
    FAULT = "fault"
    AWAY = "away"
    """The database or the broker does not answer."""
    SKIPPED = "skipped"
    """Not looked at: something else must be mended first."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one thing is.

    Attributes:
        about: Which.
        state: How it is.
        told: What was found; nothing of a secret.
        mend: What to do; empty where nothing needs to be done.
    """

    about: str
    state: State
    told: str
    mend: str = ""


Examination: TypeAlias = "tuple[str, Callable[[], Iterable[Diagnosis]]]"
"""What is looked at, and who looks."""


def examine(examinations: Sequence[Examination]) -> Iterator[Diagnosis]:
    """Look at everything in turn; one that fails in a way nobody has thought of ends no other."""
    for about, look in examinations:
        try:
            yield from look()
        except Exception as error:  # noqa: BLE001 - told, and the others are still to come
            told = f"it could not be looked at: {type(error).__name__}"
            yield Diagnosis(about, State.FAULT, told, "look at the log of what it is about; report it")


def skew(whose: str, theirs: datetime, asked: datetime, answered: datetime, most: timedelta) -> Diagnosis:
    """Compare a clock with ours.

    Args:
        whose: Whose clock.
        theirs: What it said.
        asked: When it was asked, by ours.
        answered: When the answer was here.
        most: How far it may be off.
    """
    about = f"clock of {whose}"
    if asked - most <= theirs <= answered + most:
        return Diagnosis(about, State.OK, f"within {most.total_seconds():g} s of this machine's")
    ahead = (asked - theirs).total_seconds()
    told = f"this machine's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} it"
    mend = "have both clocks set by NTP; on this machine: timedatectl set-ntp true"
    return Diagnosis(about, State.FAULT, told, mend)
