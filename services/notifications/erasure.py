"""Erasing a person from the fleet's tables, the platform's notification tables and the providers' records.

What happened stays, by ids, codes and times; whom it happened to goes. First in one transaction here, then
message by message at the providers, without any transaction open. Whatever fails or is cut short is taken up
by the next run, which finds only what is left.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from psycopg.errors import DeadlockDetected
from tenacity import retry, retry_if_exception, stop_after_attempt

from db.progress import quiet
from db.queries import erasure, erasures, interventions, people
from db.queries.erasures import ACTION
from providers.errors import Misconfigured, ProviderError, RateLimited
from services.notifications import traces
from services.notifications.traces import ERASED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.progress import Progress
    from db.queries.erasures import AtProvider
    from db.queries.interventions import By
    from providers.base import AddressErasure, MessageRedaction

log = logging.getLogger(__name__)

# Its transaction and a worker's may wait for each other; the database ends one of the two.
_patiently = retry(
    retry=retry_if_exception(lambda error: isinstance(getattr(error, "orig", None), DeadlockDetected)),
    stop=stop_after_attempt(5),
    reraise=True,
)

PLATFORMS_OWN: Final = (
    *("auth.users", "profiles", "messages", "documents", "document_versions"),
    *("document_reviews", "step_field_values", "dossiers", "dossier_status_history"),
)
"""The platform's tables that may hold the person's data, and that the fleet may not change: erase there."""

KEPT_FOR_ACCOUNTING: Final = (
    *("orders", "payment_reminders", "fleet.settlements", "fleet.payments", "fleet.payment_failures"),
    *("fleet.session_checks", "fleet.findings", "fleet.reminders", "fleet.reminder_sessions"),
    "fleet.cancellations",
)
"""What the law has kept: amounts and times, with the person's id or an order's."""


class NamesThePersonError(ValueError):
    """A reason that holds the very data that are to be erased."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, or would be.

    Attributes:
        known: Whether the platform still has the person.
        rows: How many rows of what were changed.
        under_way: Sends that were in a worker's hands just then; what comes of them is for the next run.
        events_left: Events whose payload can't be emptied, since the database is not hardened.
        at_providers: How many messages providers have that can be asked to delete them, by provider.
        beyond_reach: The same of providers that can't be asked.
        deleted: How many messages providers have deleted.
        failed: How many they have not, by code.
    """

    known: bool
    rows: Mapping[str, int]
    under_way: int
    events_left: int
    at_providers: Mapping[str, int] = field(default_factory=dict)
    beyond_reach: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not any(self.rows.values()) and not self.at_providers


@dataclass(frozen=True, slots=True)
class Left:
    """What providers still have, and the addresses that some of them go by."""

    emails: Sequence[str]
    messages: Sequence[AtProvider]


@dataclass(frozen=True)
class Eraser:
    """Erases people.

    Attributes:
        sessions: Makes sessions.
        redactions: Who deletes messages one by one, by provider.
        erasures: Who erases everything about an e-mail address, by provider.
        region: The country of numbers that are written without one.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    redactions: Mapping[str, MessageRedaction]
    erasures: Mapping[str, AddressErasure]
    region: str
    clock: Callable[[], datetime]

    @_patiently
    def plan(self, user_id: UUID) -> Erased:
        """Say what would be erased: does it, counts, and takes it back."""
        with self.sessions() as session:
            erased, _ = self._here(session, user_id, self.clock())
            session.rollback()
        return erased

    def erase(self, user_id: UUID, by: By, tell: Progress = quiet) -> Erased:
        """Erase a person, and record who did it and why.

        Args:
            user_id: Whom.
            by: Who and why.
            tell: Is told how far the providers' deletions are.

        Raises:
            NamesThePersonError: The reason names the person or an address, and would be kept.
        """
        erased, left, record = self._commit(user_id, by)
        if record is None:
            return erased
        deleted, failed = self._at_providers(left, tell)
        with self.sessions.begin() as session:
            erasures.add_to_record(session, record, {"deleted at providers": deleted, "failed there": failed})
        log.info("erasure %s: providers delete %d messages", record, deleted)
        return replace(erased, deleted=deleted, failed=failed)

    @_patiently
    def _commit(self, user_id: UUID, by: By) -> tuple[Erased, Left, UUID | None]:
        with self.sessions.begin() as session:
            now = self.clock()
            addresses = traces.of(people.find(session, user_id), self.region)
            if addresses.named and re.search(addresses.named, by.why, re.IGNORECASE):
                raise NamesThePersonError("the reason is kept: give one without the person's name or address")
            erased, left = self._here(session, user_id, now)
            if erased.nothing:
                return erased, left, None
            redacted = {name: count for name, count in erased.rows.items() if count}
            record = erasures.record(session, user_id, by, redacted, now)
            interventions.record(session, by, ACTION, redacted, [user_id])
        return erased, left, record

    def _here(self, session: Session, user_id: UUID, now: datetime) -> tuple[Erased, Left]:
        person = people.find(session, user_id)
        scope = traces.scope(session, person, self.region)
        ended = erasure.end_fan_outs(session, scope, now)
        notices = erasure.end_notices(session, scope, now)
        # Once more: whoever was telling something may have written since.
        whole = traces.scope(session, person, self.region)
        rows, under_way = erasure.erase(session, whole, now)
        emptied, events_left = erasure.redact_events(session, whole, now)
        there = erasures.at_providers(session, whole)
        reach = {*self.redactions, *(self.erasures if whole.addresses.emails else ())}
        left = Left(whole.addresses.emails, [message for message in there if message.provider in reach])
        erased = Erased(
            known=person.known,
            rows={"events passed over": ended, "notices ended": notices, **rows, "events": emptied},
            under_way=under_way,
            events_left=events_left,
            at_providers=Counter(message.provider for message in left.messages),
            beyond_reach=Counter(message.provider for message in there if message.provider not in reach),
        )
        return erased, left

    def _at_providers(self, left: Left, tell: Progress) -> tuple[int, dict[str, int]]:
        failed = Counter[str]()
        for provider in sorted({message.provider for message in left.messages}):
            theirs = [message for message in left.messages if message.provider == provider]
            if provider in self.erasures:
                failed += self._all_at_once(theirs, self.erasures[provider], left.emails)
            else:
                failed += self._one_by_one(theirs, self.redactions[provider], tell)
        return len(left.messages) - failed.total(), dict(failed)

    def _all_at_once(
        self, theirs: Sequence[AtProvider], provider: AddressErasure, emails: Sequence[str]
    ) -> Counter[str]:
        try:
            provider.erase(emails)
        except ProviderError as error:
            return Counter({error.code: len(theirs)})
        self._remember(theirs)
        return Counter()

    def _one_by_one(
        self, theirs: Sequence[AtProvider], provider: MessageRedaction, tell: Progress
    ) -> Counter[str]:
        failed = Counter[str]()
        for number, message in enumerate(theirs):
            tell(f"messages at {message.provider}", number, len(theirs))
            try:
                provider.redact(message.message_id)
            except (Misconfigured, RateLimited) as error:
                # The others would meet the same.
                failed[error.code] += len(theirs) - number
                break
            except ProviderError as error:
                failed[error.code] += 1
            else:
                self._remember([message])
        tell(f"messages at {theirs[0].provider}", len(theirs), len(theirs))
        return failed

    def _remember(self, gone: Sequence[AtProvider]) -> None:
        with self.sessions.begin() as session:
            for message in gone:
                erasures.gone_at_provider(session, message, ERASED)
