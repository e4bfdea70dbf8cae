"""Every task there is, for people: what it does, what it takes, and which queue it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tasks import byhand, schedule
from tasks.wakeups import CHANNELS, MAINTENANCE_QUEUE, TASK_OF_QUEUE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EXAMPLE_ID: Final = "0f8fad5b-d9cb-469f-a165-70867728950e"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a task is told.

    Attributes:
        name: As in the task's own signature.
        meaning: What it is, for people.
        choices: What it may be; an id where there is no choice.
    """

    name: str
    meaning: str
    choices: Sequence[str] = ()

    @property
    def kind(self) -> str:
        """What it may be, in words."""
        return f"one of {', '.join(self.choices)}" if self.choices else "an id"

    @property
    def example(self) -> str:
        """A value."""
        return self.choices[0] if self.choices else _EXAMPLE_ID

    def read(self, given: str) -> str:
        """Give the value as the task takes it.

        Raises:
            ValueError: It is none; the text names the parameter and what it may be.
        """
        if self.choices:
            found = next((each for each in self.choices if each.lower() == given.lower()), None)
            if found is None:
                raise ValueError(f"{self.name} is {self.kind}, not {given!r}")
            return found
        try:
            return str(UUID(given))
        except ValueError:
            raise ValueError(f"{self.name} is an id such as {_EXAMPLE_ID}, not {given!r}") from None


@dataclass(frozen=True, slots=True)
class Described:
    """A task.

    Attributes:
        name: What it is called by.
        words: What it does.
        queue: Where it is published.
        parameters: What it takes, in order.
    """

    name: str
    words: str
    queue: str = MAINTENANCE_QUEUE
    parameters: Sequence[Parameter] = ()

    @property
    def example(self) -> str:
        """How to run it."""
        given = (f"{each.name}={each.example}" for each in self.parameters)
        return " ".join(("fleet run", self.name, *given))

    def read(self, given: Sequence[str]) -> dict[str, str]:
        """Give the parameters' values.

        Args:
            given: Each ``NAME=VALUE``, or a value alone, in the parameters' order.

        Raises:
            ValueError: One is missing, unknown, given twice or malformed; the text names it, and the mend.
        """
        free = {each.name: each for each in self.parameters}
        values: dict[str, str] = {}
        for word in given:
            name, equals, value = word.partition("=")
            if not equals:
                name, value = next(iter(free), ""), word
            if name not in free:
                raise ValueError(f"{word!r} is too much: {self.takes}")
            values[name] = free.pop(name).read(value)
        if free:
            raise ValueError(f"{', '.join(free)} is missing: {self.takes}, such as {self.example}")
        return values

    @property
    def takes(self) -> str:
        """What it takes, in a few words."""
        return f"{self.name} takes {' and '.join(each.name for each in self.parameters) or 'nothing'}"


_DRAINS: Final[Mapping[str, str]] = {
    "fanout": "turn events into notifications and deliveries",
    "email": "send the e-mails that are due",
    "in_app": "deliver the in-app notifications that are due",
    "whatsapp": "send the WhatsApp messages that are due",
    "sms": "send the SMS that are due",
    "push": "send the push notifications that are due",
    "notices": "turn what the fleet itself has to tell into notifications",
    "inbox": "work off what SendGrid and Twilio have called back",
    "payments": "work off what Stripe has called back, asking Stripe",
    "advances": "move dossiers on whose documents are approved",
    "reminders": "send the reminders of orders that are claimed",
    "lookups": "ask providers what became of messages nobody has heard of",
}


def described(entries: Sequence[str]) -> Sequence[Described]:
    """Every task of the Celery app.

    Args:
        entries: The names of the timetable's entries.
    """
    return (
        *(Described(task, _DRAINS[queue], queue) for queue, task in TASK_OF_QUEUE.items()),
        Described(
            byhand.SEND_ONE,
            "send one delivery or letter now, due or not",
            parameters=(
                Parameter("channel", "the delivery's channel", CHANNELS),
                Parameter("delivery_id", "the delivery, as fleet deliveries lists it"),
            ),
        ),
        Described(
            byhand.SETTLE_ORDER,
            "bring an order to where Stripe says that its payment is",
            parameters=(Parameter("order_id", "the order that waits to be paid, or was"),),
        ),
        Described(schedule.TICK, "call the entries of the timetable that are due"),
        Described(
            schedule.RUN,
            "run an entry of the timetable; its name alone does the same",
            parameters=(Parameter("name", "the entry, as fleet schedule names it", tuple(entries)),),
        ),
    )
