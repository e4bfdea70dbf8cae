"""The codes of the messages that the fleet knows how to word."""

from __future__ import annotations

from enum import StrEnum


class Template(StrEnum):
    """One message, worded in every locale; the value is also the name of its file."""

    WELCOME = "WELCOME"
    DOCUMENT_RECEIVED = "DOCUMENT_RECEIVED"
    DOCUMENTS_DELIVERED = "DOCUMENTS_DELIVERED"
    DOCUMENT_APPROVED = "DOCUMENT_APPROVED"
    DOCUMENT_REJECTED = "DOCUMENT_REJECTED"
    STEP_COMPLETED = "STEP_COMPLETED"
    STEP_COMPLETED_BY_ADVISER = "STEP_COMPLETED_BY_ADVISER"
    DOSSIER_COMPLETED = "DOSSIER_COMPLETED"
    STATUS_CHANGED = "STATUS_CHANGED"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    NEW_MESSAGE = "NEW_MESSAGE"
    GENERIC = "GENERIC"
