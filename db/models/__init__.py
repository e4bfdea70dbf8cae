"""Typed SQLAlchemy tables, one file per concern."""

from db.models.base import Base
from db.models.catalogue import DocumentType, Product, ProductStep, Step, StepField
from db.models.documents import Document, DocumentReview, DocumentVersion
from db.models.dossiers import Dossier, DossierStatusHistory, Message, StepFieldValue, StepInstance
from db.models.enums import (
    ActorType,
    DocumentStatus,
    DossierStatus,
    DossierType,
    EventType,
    NotificationChannel,
    NotificationStatus,
    OrderStatus,
    ReviewStatus,
    UserStatus,
)
from db.models.events import Event, Notification, NotificationDelivery
from db.models.payments import Order, PaymentLink, PaymentReminder
from db.models.people import Agent, AuthUser, Profile

__all__ = [
    "ActorType",
    "Agent",
    "AuthUser",
    "Base",
    "Document",
    "DocumentReview",
    "DocumentStatus",
    "DocumentType",
    "DocumentVersion",
    "Dossier",
    "DossierStatus",
    "DossierStatusHistory",
    "DossierType",
    "Event",
    "EventType",
    "Message",
    "Notification",
    "NotificationChannel",
    "NotificationDelivery",
    "NotificationStatus",
    "Order",
    "OrderStatus",
    "PaymentLink",
    "PaymentReminder",
    "Product",
    "ProductStep",
    "Profile",
    "ReviewStatus",
    "Step",
    "StepField",
    "StepFieldValue",
    "StepInstance",
    "UserStatus",
]
