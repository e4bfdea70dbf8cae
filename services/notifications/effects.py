"""What follows from what a provider has said: attempts, receipts, deliveries, the next channel."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from db import json_rows
from db.queries import codes, conclusions, journeys, receipts
from services import witness
from services.notifications import journey, stops
from services.notifications.fallback import give_way
from services.notifications.receipts import ARRIVED, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.receipts import Held, Recorded
    from services.notifications.receipts import Word

    Classify = Callable[[str, str], tuple[str, bool]]
    """Takes a code and a channel, gives the kind of error and whether the code is known."""

log = logging.getLogger(__name__)


class Handled(Enum):
    """What became of one callback; the values are those of ``fleet.inbox.handled_as``."""

    EVIDENCE = "EVIDENCE"
    """It settled an attempt whose outcome was unknown."""
    RECEIPT = "RECEIPT"
    """It moved or added something."""
    NOTED = "NOTED"
    """It said nothing new."""
    FOREIGN = "FOREIGN"
    """It speaks of no attempt of ours."""
    INBOUND = "INBOUND"
    """It is no word of a message of ours: somebody has written to us."""
    BUSY = "BUSY"
    """Another transaction has the rows just now: nothing was done, and it is not handled."""


@dataclass(frozen=True)
class Effects:
    """Applies words, in any order and any number of times.

    Attributes:
        classify: By provider, how its codes are taken; a provider without an entry has no table of codes.
        region: The country of numbers that are written without one, by its two letters.
    """

    classify: Mapping[str, Classify]
    region: str

    def apply(self, session: Session, words: Sequence[Word], evidence: str, now: datetime) -> list[Handled]:
        """Write down what was said and what follows from it.

        Args:
            session: The transaction.
            words: Of any messages.
            evidence: How it was learnt: CALLBACK or LOOKUP.
            now: The time to record.

        Returns:
            What became of each word.
        """
        if not words:
            return []
        named = [
            {"number": i, "provider": w.provider, "token": w.token, "message_id": w.message_id}
            for i, w in enumerate(words)
        ]
        by_number = {held.number: held for held in receipts.hold(session, json_rows.dumps(named))}
        held = [by_number[number] for number in range(len(words))]
        rows = [_row(word, of) for word, of in zip(words, held, strict=True) if of.held]
        news = receipts.record(session, json_rows.dumps(rows), evidence, now) if rows else []
        by_token = {new.token: new for new in news}
        verdicts = list(self._verdicts(words, held, by_token))
        suppressed = {by_token[v.token].delivery_id for v in verdicts if v.kind == "suppressed"}
        self._follow_up(session, news, suppressed, now)
        _count_unseen(session, verdicts, now)
        stops.heed_refusals(session, {v.token for v in verdicts if v.kind == "suppressed"}, self.region)
        if witness.present():
            _tell(session, news, now)
        return [_handled(w, of, by_token) for w, of in zip(words, held, strict=True)]

    @staticmethod
    def _follow_up(
        session: Session, news: Sequence[Recorded], suppressed: AbstractSet[UUID], now: datetime
    ) -> None:
        proved = {new.delivery_id for new in news if new.proved}
        moved = {new.delivery_id for new in news if new.state is not None}
        if not proved and not moved:
            return
        failed = conclusions.conclude(session, list(proved), list(moved), now)
        arrived = {new.delivery_id for new in news if new.state in ARRIVED}
        if arrived:
            for delivery_id in conclusions.withdraw(session, list(arrived), now):
                log.info(
                    "delivery %s is not sent: the channel before it has delivered",
                    delivery_id,
                    extra={"delivery_id": str(delivery_id)},
                )
        # Who does not want to be written to is not written to on another channel instead.
        give_way(session, [delivery for delivery in failed if delivery not in suppressed], "FAILED", now)
        for new in news:
            if new.proved:
                about = {"delivery_id": str(new.delivery_id), "attempt": str(new.token)}
                log.info("delivery %s was taken: the provider says so", new.delivery_id, extra=about)

    def _verdicts(
        self, words: Sequence[Word], held: Sequence[Held], news: Mapping[UUID, Recorded]
    ) -> Iterator[_Verdict]:
        """What the codes mean that came with something new, so that repeats count once."""
        for word, of in zip(words, held, strict=True):
            classify = self.classify.get(word.provider)
            if not classify or word.code is None or of.channel is None or of.token is None:
                continue
            if of.token in news:
                kind, known = classify(word.code, of.channel)
                yield _Verdict(of.token, word.provider, word.code, kind, known)


class _Verdict(NamedTuple):
    token: UUID
    provider: str
    code: str
    kind: str
    known: bool


def _count_unseen(session: Session, verdicts: Sequence[_Verdict], now: datetime) -> None:
    unseen = [
        {"provider": v.provider, "code": v.code, "taken_as": v.kind, "token": v.token}
        for v in verdicts
        if not v.known
    ]
    for row in unseen:
        about = {"attempt": str(row["token"])}
        log.warning("%s gave a code that no table lists: %s", row["provider"], row["code"], extra=about)
    if unseen:
        codes.count_unseen(session, json_rows.dumps(unseen), now)


def _tell(session: Session, news: Sequence[Recorded], now: datetime) -> None:
    tokens = [new.token for new in news if new.proved or new.state in ARRIVED | FAILED]
    if tokens:
        witness.tell(session, journey.receipts, journeys.heard(session, tokens), now)


def _row(word: Word, held: Held) -> dict[str, object]:
    return {
        "token": held.token,
        "message_id": word.message_id or None,
        "state": word.state,
        "at": word.at,
        "code": word.code if word.state in FAILED else None,
        "reason": word.reason if word.state in FAILED else None,
    }


def _handled(word: Word, held: Held, news: Mapping[UUID, Recorded]) -> Handled:
    if held.token is None:
        return Handled.FOREIGN
    if not held.held:
        return Handled.BUSY
    new = news.get(held.token)
    if new is not None and new.proved:
        return Handled.EVIDENCE
    return Handled.RECEIPT if new is not None and new.added and word.state else Handled.NOTED
