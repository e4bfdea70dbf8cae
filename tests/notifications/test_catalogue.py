"""What each event of the platform becomes, with the data that the platform really writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from db.models.enums import DossierStatus
from tests.notifications.pipeline import never

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client

    Act = Callable[[Application, Client], object]

REJECTED = "La photo est floue, merci d’en prendre une autre."


def told(pipeline: Pipeline, template: str) -> Any:
    """Fan out; the only notification of this template, with its channels and what became of its event."""
    pipeline.fan_out().run(never)
    (notice,) = pipeline.rows(
        """
        select n.*, f.outcome, f.reason,
          array_agg(d.channel::text || ' ' || d.status::text order by d.channel::text) as channels,
          array_agg(d.recipient order by d.channel::text) as recipients
        from notifications n
        join fleet.fanouts f on f.event_id = n.event_id
        left join notification_deliveries d on d.notification_id = n.id
        where n.template_code = :template
        group by n.id, f.event_id
        """,
        template=template,
    )
    return notice


def legible(text: str) -> str:
    """With plain spaces for the typographer's."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def reviewed(status: str, reason: str | None = None) -> Act:
    def act(app: Application, client: Client) -> object:
        return app.review(app.upload(client, "PASSPORT"), status, reason)

    return act


def of_dossier(event_type: str) -> Act:
    return lambda app, client: app.event(event_type, "dossier", _dossier(client))


def of_order(event_type: str) -> Act:
    return lambda app, client: app.event(event_type, "order", client.order_id)


def step_by(actor: str) -> Act:
    def act(app: Application, client: Client) -> object:
        step = app._one(
            "select si.id from step_instances si join steps s on s.id = si.step_id"
            " where si.dossier_id = %s and s.code = 'QUALIFICATION'",
            client.dossier_id,
        )
        return app.event("STEP_COMPLETED", "step_instance", step, actor=actor)

    return act


def delivered(app: Application, client: Client) -> None:
    """An adviser uploads: the platform's trigger writes the event."""
    document_id = app._one(
        "insert into documents (dossier_id, document_type_id)"
        " select %s, id from document_types where code = 'PASSPORT' returning id",
        client.dossier_id,
    )
    app._one(
        "insert into document_versions (document_id, file_url, file_name, uploaded_by_type, uploaded_by_id)"
        " values (%s, 'https://files.example.com/ein.pdf', 'ein.pdf', 'AGENT', %s) returning id",
        document_id,
        uuid4(),
    )


def _dossier(client: Client) -> UUID:
    assert client.dossier_id is not None
    return client.dossier_id


ANNOUNCED: dict[str, tuple[Act, str, str]] = {
    "opened": (of_dossier("DOSSIER_CREATED"), "WELCOME", "« LLC Formation » est ouvert"),
    "moved": (lambda a, c: a.change_status(c, "LLC_ACCEPTED"), "STATUS_CHANGED", "LLC acceptée"),
    "done": (lambda a, c: a.change_status(c, "COMPLETED"), "DOSSIER_COMPLETED", "étapes de votre dossier"),
    "step": (lambda a, c: a.complete_step(c, "QUALIFICATION"), "STEP_COMPLETED", "« Collecte des doc"),
    "last step": (lambda a, c: a.complete_step(c, "COMPLETION"), "STEP_COMPLETED", "« Finalisation » est"),
    "by adviser": (step_by("AGENT"), "STEP_COMPLETED_BY_ADVISER", "conseiller a terminé l’étape « Qualif"),
    "uploaded": (lambda a, c: a.upload(c, "PROOF_ADDRESS"), "DOCUMENT_RECEIVED", "« Justificatif de dom"),
    "delivered": (delivered, "DOCUMENTS_DELIVERED", "à votre disposition le document « Passeport »"),
    "approved": (reviewed("APPROVED"), "DOCUMENT_APPROVED", "« Passeport » a été examiné et validé"),
    "rejected": (reviewed("REJECTED", REJECTED), "DOCUMENT_REJECTED", f"Motif : {REJECTED}"),
    "no reason": (reviewed("REJECTED"), "DOCUMENT_REJECTED", "d’en déposer une nouvelle version"),
    "paid": (of_order("PAYMENT_RECEIVED"), "PAYMENT_RECEIVED", "999,00 $US pour « LLC Formation »"),
    "refused": (of_order("PAYMENT_FAILED"), "PAYMENT_FAILED", "« LLC Formation » n’a pas abouti"),
    "message": (lambda a, c: a.write_message(c, "Bonjour"), "NEW_MESSAGE", "reçu un nouveau message"),
}


@pytest.mark.parametrize(("act", "template", "words"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_the_client_is_told_in_words(
    app: Application, paid: Client, pipeline: Pipeline, act: Act, template: str, words: str
) -> None:
    act(app, paid)
    notice = told(pipeline, template)

    assert (notice.user_id, notice.dossier_id) == (paid.user_id, paid.dossier_id)
    assert words in legible(notice.message)
    assert "_" not in notice.title + notice.message, "a code has slipped through"
    assert notice.action_url == f"/dossiers/{paid.dossier_id}"
    assert notice.channels == ["EMAIL PENDING", "IN_APP SENT"]
    assert notice.recipients == [paid.email, str(paid.user_id)]
    assert (notice.outcome, notice.reason) == ("NOTIFIED", None)


def test_every_status_of_a_dossier_has_words(app: Application, paid: Client, pipeline: Pipeline) -> None:
    told_of = [s for s in DossierStatus if s not in {"COMPLETED", "ERROR"}]
    for status in told_of:
        payload: dict[str, object] = {"old_status": "WAITING_48H", "new_status": status}
        app.event("DOSSIER_STATUS_CHANGED", "dossier", _dossier(paid), payload)
    pipeline.fan_out().run(never)
    messages = [row.message for row in pipeline.rows("select message from notifications")]
    assert len(messages) == len(set(messages)) == len(told_of)
    assert not [message for message in messages if any(status in message for status in told_of)]


def test_what_the_mail_will_need_is_kept_without_the_persons_name(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    reviewed("REJECTED", REJECTED)(app, paid)
    assert told(pipeline, "DOCUMENT_REJECTED").payload == {
        "reference": str(paid.dossier_id)[:8].upper(),
        "product": "LLC Formation",
        "document_code": "PASSPORT",
        "document_label": "Passport",
        "reason": REJECTED,
    }


def test_a_payment_without_a_dossier_leads_to_the_dashboard(
    app: Application, client: Client, pipeline: Pipeline
) -> None:
    app.event("PAYMENT_FAILED", "order", client.order_id)
    notice = told(pipeline, "PAYMENT_FAILED")
    assert (notice.dossier_id, notice.action_url) == (None, "/dashboard")
    assert notice.payload == {"product": "LLC Formation", "amount": 99900, "currency": "USD"}


def written_by_client(app: Application, client: Client) -> None:
    message_id = app._one(
        "insert into messages (dossier_id, sender_type, sender_id, content)"
        " values (%s, 'USER', %s, 'Bonjour') returning id",
        client.dossier_id,
        client.user_id,
    )
    app.event("MESSAGE_SENT", "message", message_id, actor="USER")


def stored_by_system(app: Application, client: Client) -> None:
    payload: dict[str, object] = {"uploaded_by_type": "SYSTEM", "dossier_id": str(client.dossier_id)}
    app.event("DOCUMENT_UPLOADED", "document", uuid4(), payload)


def given_up(app: Application, client: Client) -> None:
    app.event("PAYMENT_FAILED", "order", client.order_id, {"code": "reminders_exhausted"})


SILENT: dict[str, tuple[Act, str]] = {
    "an order given up": (given_up, "the notice of the cancellation"),
    "a step begins": (of_dossier("STEP_STARTED"), "the completion of the step before"),
    "an error": (of_dossier("ERROR"), "for the operators"),
    "a dossier in error": (lambda a, c: a.change_status(c, "ERROR"), "for the advisers"),
    "no new status": (of_dossier("DOSSIER_STATUS_CHANGED"), "names no new status"),
    "the client's own message": (written_by_client, "the client wrote it"),
    "put there by the system": (stored_by_system, "by the system"),
    "no verdict": (lambda a, _: a.event("DOCUMENT_REVIEWED", "document", uuid4()), "neither approved nor"),
}


@pytest.mark.parametrize(("act", "reason"), SILENT.values(), ids=SILENT)
def test_nobody_is_told_and_the_reason_is_kept(
    app: Application, paid: Client, pipeline: Pipeline, act: Act, reason: str
) -> None:
    act(app, paid)
    pipeline.fan_out().run(never)
    assert pipeline.rows("select from notifications") == []
    ((outcome, why),) = pipeline.rows("select outcome, reason from fleet.fanouts")
    assert outcome == "PASSED_OVER"
    assert reason in why
