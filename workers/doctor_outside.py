"""What is outside examined: the broker, the providers with our keys, and our own public address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from kombu.exceptions import OperationalError as BrokerError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from providers import keys
from providers.errors import ProviderError
from providers.twilio_http import TwilioAccount
from workers.celery_app import make_app
from workers.diagnosis import Diagnosis, State, skew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from providers.keys import KeyAnswer
    from providers.transport import PooledTransport
    from workers.settings import Settings

BROKER_SECONDS: Final = 3.0

CLOCK_MOST: Final = timedelta(seconds=30)
"""Signatures of callbacks are good for minutes, and HTTP tells full seconds, now and then from a cache."""

_WEBHOOK = "/webhooks/stripe"


@dataclass(frozen=True)
class OutsideDoctor:
    """Asks everybody that the fleet works with, by questions that change nothing.

    Attributes:
        settings: Whose addresses and keys.
        clock: Gives the time, aware, UTC.
        transport: The lines.
    """

    settings: Settings
    clock: Callable[[], datetime]
    transport: PooledTransport

    def broker(self) -> Iterator[Diagnosis]:
        """Whether the broker answers, and keeps what it is given."""
        try:
            with make_app(self.settings).connection_for_write() as connection:
                connection.ensure_connection(
                    max_retries=1, timeout=BROKER_SECONDS, reraise_as_library_errors=True
                )
        except (BrokerError, OSError) as error:
            mend = "start the broker, or correct REDIS_URL; nothing is lost meanwhile"
            yield Diagnosis("broker", State.AWAY, f"it does not answer ({type(error).__name__})", mend)
        else:
            yield Diagnosis("broker", State.OK, "it answers")
        yield self._redis()

    def _redis(self) -> Diagnosis:
        name = "FLEET_LIMITS_URL" if self.settings.limits_url else "REDIS_URL"
        address = self.settings.limits_address.get_secret_value()
        options = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
        try:
            with Redis.from_url(address, decode_responses=True, **options) as redis:
                redis.ping()
                policy = _eviction(redis)
        except RedisError as error:
            mend = f"start the Redis that {name} names, or correct it: nothing is sent without it"
            return Diagnosis("limits", State.AWAY, f"they do not answer ({type(error).__name__})", mend)
        if policy not in {"", "noeviction"}:
            mend = "set maxmemory-policy noeviction there (docs/operations.md)"
            return Diagnosis("limits", State.ADVICE, f"Redis may throw messages away: {policy}", mend)
        return Diagnosis("limits", State.OK, "the Redis that keeps them answers")

    def keys(self) -> Iterator[Diagnosis]:
        """Whether each provider takes our key, and what its clock says."""
        given = self.settings
        account = TwilioAccount(
            given.twilio_account_sid, given.twilio_auth_token.get_secret_value(), _base(given.twilio_base_url)
        )
        sendgrid_key, stripe_key = given.sendgrid_api_key, given.stripe_secret_key
        questions = {
            ("SendGrid", "SENDGRID_API_KEY"): partial(
                keys.sendgrid, sendgrid_key.get_secret_value(), _base(given.sendgrid_base_url), self.transport
            ),
            ("Twilio", "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"): partial(
                keys.twilio, account, self.transport
            ),
            ("Stripe", "STRIPE_SECRET_KEY"): partial(
                keys.stripe, stripe_key.get_secret_value(), _base(given.stripe_base_url), self.transport
            ),
        }
        for (provider, names), ask in questions.items():
            yield from self._key(provider, names, ask)

    def _key(self, provider: str, names: str, ask: Callable[[], KeyAnswer]) -> Iterator[Diagnosis]:
        asked = self.clock()
        try:
            answer = ask()
        except ProviderError as error:
            mend = "look at its status page and at this machine's way out; *_BASE_URL names another address"
            yield Diagnosis(provider, State.FAULT, f"no answer: {error.code} {error.detail}", mend)
            return
        if answer.refused:
            mend = f"correct {names}, or the key's rights at {provider}, and restart the workers"
            yield Diagnosis(provider, State.FAULT, f"our key does not do: {answer.refused}", mend)
        elif answer.lacks:
            yield Diagnosis(
                provider, State.ADVICE, f"{answer.told}; {answer.lacks}", f"widen it at {provider}"
            )
        else:
            yield Diagnosis(provider, State.OK, answer.told)
        if answer.date is not None:
            yield skew(provider, answer.date, asked, self.clock(), CLOCK_MOST)

    def public_address(self) -> Iterator[Diagnosis]:
        """Whether the ingress is reached by the address that providers are given.

        A proxy may pass the webhooks alone: there, what counts is the ingress's own word that it takes posts
        only.
        """
        base = _base(self.settings.public_url)
        about = "PUBLIC_URL"
        mend = "start fleet ingress; have the proxy pass /webhooks/, /l/ and /u/ to it; correct PUBLIC_URL"
        try:
            live = self.transport.request("GET", f"{base}/live", {})
            if (live.status, live.body) == (HTTPStatus.OK, b"ok"):
                yield Diagnosis(about, State.OK, f"the ingress answers at {base}")
                return
            hook = self.transport.request("GET", f"{base}{_WEBHOOK}", {})
        except ProviderError as error:
            yield Diagnosis(about, State.FAULT, f"{base} is not reached from here: {error.code}", mend)
            return
        if hook.status == HTTPStatus.METHOD_NOT_ALLOWED and hook.headers.get("Allow") == "POST":
            yield Diagnosis(
                about, State.OK, f"the ingress takes webhooks at {base}, and nothing else is passed"
            )
        else:
            told = f"somebody else answers at {base}: {live.status} to /live, {hook.status} to {_WEBHOOK}"
            yield Diagnosis(about, State.FAULT, told, mend)


def _eviction(redis: Redis) -> str:
    """What Redis does when its memory is full; empty where it does not say."""
    try:
        found = redis.config_get("maxmemory-policy")
    except ResponseError:
        return ""
    return str(found.get("maxmemory-policy", ""))


def _base(url: object) -> str:
    return str(url).rstrip("/")
