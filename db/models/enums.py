"""The values of the platform's enums that this project knows. A read may bring others."""

from __future__ import annotations

from enum import StrEnum


class UserStatus(StrEnum):
    """Where a client stands: registered and not paid, paid, or a payment failed or lapsed."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class OrderStatus(StrEnum):
    """Where an order stands; FAILED can't be paid any more without a new attempt."""

    PENDING = "PENDING"
    PAID = "PAID"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"
    CANCELLED = "CANCELLED"


class ActorType(StrEnum):
    """Who did something. The id beside it is a profile's or an agent's; SYSTEM has none."""

    USER = "USER"
    AGENT = "AGENT"
    SYSTEM = "SYSTEM"


class DossierType(StrEnum):
    """What kind of case a dossier is."""

    LLC = "LLC"
    CORP = "CORP"
    DUBAI = "DUBAI"
    BANKING = "BANKING"
    COMPLIANCE = "COMPLIANCE"
    ACCOUNTING = "ACCOUNTING"


class DossierStatus(StrEnum):
    """Where a dossier stands (``dossier_status_code`` in the database)."""

    QUALIFICATION = "QUALIFICATION"
    FORM_SUBMITTED = "FORM_SUBMITTED"
    NM_PENDING = "NM_PENDING"
    LLC_ACCEPTED = "LLC_ACCEPTED"
    EIN_PENDING = "EIN_PENDING"
    BANK_PREPARATION = "BANK_PREPARATION"
    BANK_OPENED = "BANK_OPENED"
    WAITING_48H = "WAITING_48H"
    IN_PROGRESS = "IN_PROGRESS"
    UNDER_REVIEW = "UNDER_REVIEW"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    ERROR = "ERROR"


class DocumentStatus(StrEnum):
    """Where a document stands; OUTDATED once a newer version took its place."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    OUTDATED = "OUTDATED"


class ReviewStatus(StrEnum):
    """What an agent said of a document's version."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class EventType(StrEnum):
    """What happened."""

    DOSSIER_CREATED = "DOSSIER_CREATED"
    DOSSIER_STATUS_CHANGED = "DOSSIER_STATUS_CHANGED"
    STEP_STARTED = "STEP_STARTED"
    STEP_COMPLETED = "STEP_COMPLETED"
    DOCUMENT_UPLOADED = "DOCUMENT_UPLOADED"
    DOCUMENT_REVIEWED = "DOCUMENT_REVIEWED"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    MESSAGE_SENT = "MESSAGE_SENT"
    ERROR = "ERROR"


class NotificationChannel(StrEnum):
    """The way a notification takes to a person."""

    WHATSAPP = "WHATSAPP"
    EMAIL = "EMAIL"
    IN_APP = "IN_APP"
    SMS = "SMS"
    PUSH = "PUSH"


class NotificationStatus(StrEnum):
    """Where a delivery stands; BOUNCED went out and came back."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    BOUNCED = "BOUNCED"
