"""The other way: a Celery task per delivery with the vendor's own client, as most people write it.

A program's module: ``celery -A tests.benchmarks.per_delivery_app worker``. It reads the environment of that
process. It is given the best of its kind: one query, a connection for every thread, statements prepared, the
words compiled beforehand, no log line and no event for each task, messages acknowledged early.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import UUID

from celery import Celery
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, Content, CustomArg, Mail
from sqlalchemy import bindparam, create_engine, select
from sqlalchemy.orm import Session

from db.engine import dsn
from db.models import Notification, NotificationDelivery, Profile
from services.notifications import subject
from services.notifications.render import Company, Renderer

CONCURRENCY = 32
APP_URL = "https://app.example.com"

app = Celery("per_delivery", broker=os.environ["REDIS_URL"])
app.conf.update(task_default_queue="per_delivery", task_ignore_result=True)
database = dsn(os.environ["DATABASE_URL"]).replace("postgresql://", "postgresql+psycopg://", 1)
engine = create_engine(database, pool_size=CONCURRENCY)
renderer = Renderer(Company("Partners VRAI"))

FACTS = (
    select(NotificationDelivery, Notification, Profile.full_name)
    .join(Notification, Notification.id == NotificationDelivery.notification_id)
    .join(Profile, Profile.id == Notification.user_id)
    .where(NotificationDelivery.id == bindparam("delivery_id"))
)


@app.task(autoretry_for=(Exception,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator] # Celery's
def send_email(delivery_id: str) -> None:
    """Send one delivery."""
    with Session(engine) as session:
        row = session.execute(FACTS, {"delivery_id": UUID(delivery_id)}).one()
        delivery, notification, name = row.tuple()
        link = subject.absolute(APP_URL, notification.action_url)
        values = subject.variables(notification.payload or {}, "fr", name=name, action_url=link)
        words = renderer.email(notification.template_code or "", "fr", values)
        mail = Mail("bonjour@example.com", delivery.recipient, words.subject)
        mail.add_content(Content("text/plain", words.text))
        mail.add_content(Content("text/html", words.html))
        mail.add_category(Category(notification.template_code))
        mail.add_custom_arg(CustomArg("delivery", delivery_id))
        client = SendGridAPIClient(os.environ["SENDGRID_API_KEY"], host=os.environ["SENDGRID_BASE_URL"])
        answer = client.send(mail)
        delivery.status = "SENT"
        delivery.provider = "sendgrid"
        delivery.provider_message_id = answer.headers["X-Message-Id"]
        delivery.sent_at = datetime.now(UTC)
        session.commit()
