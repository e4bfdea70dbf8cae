"""What a post is refused for; each kind has its answer, and its name in the metrics."""

from __future__ import annotations

from typing import ClassVar


class Refused(Exception):  # noqa: N818 - as the kinds of providers.errors: named for what was found
    """A post is not taken.

    Args:
        detail: What is wrong, for the log and the answer; nothing of the content.

    Attributes:
        status: Of the answer.
        reason: In the metrics.
    """

    status: ClassVar[int]
    reason: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class Malformed(Refused):
    """It is not what the provider sends to this address."""

    status = 400
    reason = "malformed"


class NotTheirs(Refused):
    """It is not shown to be the provider's."""

    status = 403
    reason = "signature"


class WrongSignature(NotTheirs):
    """The same, where the platform wants a wrong signature answered as a bad request."""

    status = 400


class WrongMethod(Refused):
    """It is no POST."""

    status = 405
    reason = "method"

    def __init__(self) -> None:
        super().__init__("only POST is taken here")


class TooSlow(Refused):
    """It did not come to its end in time."""

    status = 408
    reason = "too_slow"

    def __init__(self) -> None:
        super().__init__("too slow")


class TooLarge(Refused):
    """It is larger than anything the provider sends to this address."""

    status = 413
    reason = "too_large"

    def __init__(self) -> None:
        super().__init__("too large")


class WrongMediaType(Refused):
    """It is of another kind than what the provider sends to this address."""

    status = 415
    reason = "media_type"

    def __init__(self) -> None:
        super().__init__("of another media type")


class NotStored(Refused):
    """The database does not take it for now; the provider is to come again."""

    status = 503
    reason = "not_stored"

    def __init__(self) -> None:
        super().__init__("try again")
