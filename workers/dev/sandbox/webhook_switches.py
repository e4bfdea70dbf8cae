"""The switches beside the webhooks: what a person can let go wrong with the next one, or with all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.dev.sandbox.stripe_reversals import NotPossibleError
from workers.dev.sandbox.stripe_wire import StripeMischief

if TYPE_CHECKING:
    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.stripe_mischief import Mischief

_HOLD, _RELEASE, _USUAL = "hold", "release", "usual"
_KINDS: Final = {"lose": "Lose {}", "double": "Send {} twice", "late": "Send {} late"}
_ALWAYS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Switch:
    """A button: what it asks for, what it says, and whether it is on."""

    do: str
    label: str
    on: bool


class Switches:
    """Reads and presses the switches.

    Args:
        mischief: What goes wrong with Stripe's webhooks.
        courier: Holds the callbacks of all providers.
    """

    def __init__(self, mischief: Mischief, courier: Courier) -> None:
        self._mischief = mischief
        self._courier = courier

    @property
    def version(self) -> str:
        """Another one whenever a switch stands otherwise."""
        wanted = self._mischief.left()
        return f"{wanted.lose}-{wanted.double}-{wanted.late}-{self._courier.held}"

    def all(self) -> list[Switch]:
        """The switches as they stand."""
        wanted = self._mischief.left()
        switches = []
        for kind, label in _KINDS.items():
            times: int | float = getattr(wanted, kind)
            coming = times if isinstance(times, int) else 0
            switches += [
                Switch(
                    f"{kind}-next",
                    label.format(f"the next {coming}" if coming > 1 else "the next"),
                    coming > 0,
                ),
                Switch(f"{kind}-all", label.format("every one"), isinstance(times, float) and times > 0),
            ]
        hold = (_RELEASE, "Let go what is held") if self._courier.held else (_HOLD, "Hold all")
        return [*switches, Switch(*hold, on=self._courier.held), Switch(_USUAL, "All as usual", on=False)]

    def press(self, do: str) -> None:
        """Do what a switch asks for; the next one asked for twice is the next two.

        Raises:
            NotPossibleError: There is no such switch.
        """
        kind, _, which = do.partition("-")
        if do == _HOLD:
            self._courier.hold()
        elif do == _RELEASE:
            self._courier.release()
        elif do == _USUAL:
            self._mischief.set(StripeMischief())
            self._courier.release()
        elif kind in _KINDS and which in {"next", "all"}:
            wanted = self._mischief.left()
            times: int | float = getattr(wanted, kind)
            more = _ALWAYS if which == "all" else (times if isinstance(times, int) else 0) + 1
            self._mischief.set(wanted.model_copy(update={kind: more}))
        else:
            raise NotPossibleError(f"do: there is no switch {do!r}")
