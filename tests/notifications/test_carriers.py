"""What is handed to a provider of phone messages, and what is not handed over at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from db.queries.dispatch import ClaimedRow
from providers.base import ContentTemplate
from providers.errors import Rejected, Undeliverable
from services.notifications import whatsapp_templates
from services.notifications.carriers import PhoneCarrier, UnprovidedCarrier, WhatsAppCarrier
from services.notifications.catalogue import ROUTES
from services.notifications.template_codes import Template
from services.notifications.whatsapp_templates import ApprovedTemplate, MappingError
from tests.notifications.desk import Desk
from tests.notifications.pipeline import APP_URL
from tests.notifications.reading import RENDERER

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from providers.base import PhoneMessage
    from services.notifications.whatsapp_templates import ApprovedTemplates

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SID = "HX00000000000000000000000000000001"
REFERENCE = {"reference": "A1B2C3D4", "product": "LLC Formation"}


def claimed(template: Template = Template.WELCOME, **payload: object) -> ClaimedRow:
    """A delivery of a notification that the fleet wrote."""
    notification_id = uuid4()
    return ClaimedRow(
        delivery_id=uuid4(),
        channel="WHATSAPP",
        tries=0,
        attempts=0,
        unproved=0,
        status="PENDING",
        recipient="06 39 98 00 00",
        notification_id=notification_id,
        user_id=uuid4(),
        event_id=uuid4(),
        title="Titre gardé",
        message="Message gardé",
        template_code=template,
        payload=REFERENCE | payload,
        action_url="/dossiers/1",
        full_name="Camille Exemple",
        place_held_by=None,
        announced_as=notification_id,
        announced_by="FLEET",
        open_token=None,
        opened_at=None,
        unheard=False,
        searches=None,
        last_inbound_at=None,
    )


def sms(desk: Desk) -> PhoneCarrier:
    return PhoneCarrier(desk, RENDERER, "fr", APP_URL, "FR")


def whatsapp(
    desk: Desk,
    templates: ApprovedTemplates | None = None,
    *,
    free_text: bool = False,
    give_way_after: timedelta = timedelta(minutes=30),
) -> WhatsAppCarrier:
    return WhatsAppCarrier(
        desk,
        RENDERER,
        "fr",
        APP_URL,
        "FR",
        templates=templates or {},
        free_text_always=free_text,
        give_way_after=give_way_after,
        clock=lambda: NOW,
    )


def carried(carrier: PhoneCarrier, row: ClaimedRow) -> PhoneMessage:
    """Carry one delivery to a desk, and give what lies there."""
    token = uuid4()
    assert carrier.carry(row, token).message_id == str(token)
    desk = carrier.sender
    assert isinstance(desk, Desk)
    (message,) = desk.taken
    assert (message.token, carrier.provider) == (token, "desk")
    return message


def test_an_sms_is_the_words_in_brief_and_the_link_to_an_international_number() -> None:
    message = carried(sms(Desk()), claimed())
    words, link = message.body.split("\n")
    assert words == 'Partners VRAI : bienvenue. Votre dossier A1B2C3D4 est ouvert : "LLC Formation".'
    assert link == f"{APP_URL}/dossiers/1"
    assert message.recipient == "+33639980000"
    assert (message.validity_seconds, message.template) == (4 * 3600, None)


def test_a_message_carries_a_short_link_and_so_does_free_text_on_whatsapp() -> None:
    row = claimed()

    def shorten(link: str, notification_id: UUID, user_id: UUID) -> str:
        assert (link, notification_id, user_id) == (f"{APP_URL}/dossiers/1", row.notification_id, row.user_id)
        return "https://fleet.example.com/l/x"

    for carrier in (sms(Desk()), whatsapp(Desk(), free_text=True)):
        body = carried(replace(carrier, shorten=shorten), row).body
        assert body.endswith("\nhttps://fleet.example.com/l/x")
        assert APP_URL not in body
        assert (
            "http"
            not in carried(
                replace(carrier, sender=Desk(), shorten=shorten), replace(row, action_url=None)
            ).body
        )


def test_no_short_link_is_made_for_an_approved_template() -> None:
    approved = ApprovedTemplate(SID, ("action_url",))

    def shorten(link: str, notification_id: UUID, user_id: UUID) -> str:
        raise AssertionError((link, notification_id, user_id))

    carrier = whatsapp(Desk(), {(Template.WELCOME, "fr"): approved})
    filled = carried(replace(carrier, shorten=shorten), claimed()).template
    assert filled == ContentTemplate(SID, {"1": f"{APP_URL}/dossiers/1"})


def test_the_applications_own_words_come_with_the_senders_name() -> None:
    row = replace(claimed(), announced_by="APPLICATION", action_url=None)
    assert carried(sms(Desk()), row).body == "Partners VRAI : Titre gardé\nMessage gardé"
    assert carried(whatsapp(Desk(), free_text=True), row).body == "Titre gardé\nMessage gardé"
    titled = replace(row, message=None)
    assert carried(sms(Desk()), titled).body == "Partners VRAI : Titre gardé"


def test_a_long_message_leaves_room_for_its_link() -> None:
    row = replace(claimed(), announced_by="APPLICATION", message="mot " * 1000)
    body = carried(sms(Desk()), row).body
    assert 155 < len(body) <= 160
    assert body.endswith(f"mot...\n{APP_URL}/dossiers/1")
    at_length = carried(whatsapp(Desk(), free_text=True), row).body
    assert 600 < len(at_length) < 700
    assert at_length.endswith(f"…\n{APP_URL}/dossiers/1")


@pytest.mark.parametrize("template", Template)
def test_every_template_has_words_for_the_phone_and_a_validity(template: Template) -> None:
    kept = {"document_label": "Passport", "step_label": "Étape", "status": "IN_PROGRESS", "number": 1}
    row = claimed(template, **kept, amount=99900, currency="USD", expires_on="2026-12-21")
    message = carried(sms(Desk()), row)
    assert message.body.strip()
    assert 1 <= message.validity_seconds == ROUTES[template].validity_seconds <= 36_000


def test_a_recipient_that_is_no_number_is_refused_before_the_provider_and_not_quoted() -> None:
    for carrier in (sms(Desk()), whatsapp(Desk(), free_text=True)):
        with pytest.raises(Rejected, match="no phone number") as refused:
            carrier.carry(replace(claimed(), recipient="3270"), uuid4())
        assert refused.value.code == "invalid_number"
        assert "3270" not in refused.value.detail


def test_whatsapp_sends_an_approved_template_filled_in_words() -> None:
    approved = ApprovedTemplate(SID, ("name", "product", "amount", "action_url"))
    carrier = whatsapp(Desk(), {(Template.PAYMENT_RECEIVED, "fr"): approved})
    message = carried(carrier, claimed(Template.PAYMENT_RECEIVED, amount=99900, currency="USD"))
    assert message.template == ContentTemplate(
        SID,
        {
            "1": "Camille Exemple",
            "2": "LLC Formation",
            "3": "999,00\N{NO-BREAK SPACE}$US",
            "4": f"{APP_URL}/dossiers/1",
        },
    )


def test_what_a_template_is_filled_with_is_one_line_and_not_too_long() -> None:
    approved = ApprovedTemplate(SID, ("reason", "document"))
    carrier = whatsapp(Desk(), {(Template.DOCUMENT_REJECTED, "fr"): approved})
    row = claimed(Template.DOCUMENT_REJECTED, document_label="Passport", reason="Floue.\nÀ refaire. " * 60)
    filled = carried(carrier, row).template
    assert filled is not None
    assert filled.variables["1"].startswith("Floue. À refaire. Floue.")
    assert len(filled.variables["1"]) <= 400


def test_a_status_fills_a_template_in_words() -> None:
    approved = ApprovedTemplate(SID, ("status",))
    carrier = whatsapp(Desk(), {(Template.STATUS_CHANGED, "fr"): approved})
    filled = carried(carrier, claimed(Template.STATUS_CHANGED, status="LLC_ACCEPTED")).template
    assert filled is not None
    assert filled.variables == {"1": "LLC acceptée"}


def test_free_text_goes_within_a_day_of_the_persons_own_message() -> None:
    row = replace(claimed(), last_inbound_at=NOW - timedelta(hours=23, minutes=59))
    message = carried(whatsapp(Desk()), row)
    assert message.template is None
    assert message.body.startswith("Votre dossier est ouvert\nBienvenue chez Partners VRAI.")
    assert message.body.endswith(f"\n{APP_URL}/dossiers/1")


@pytest.mark.parametrize("last", [None, NOW - timedelta(hours=24), NOW - timedelta(days=30)])
def test_without_a_template_nothing_goes_later(last: datetime | None) -> None:
    with pytest.raises(Undeliverable, match="no approved template says WELCOME in fr") as refused:
        whatsapp(Desk()).carry(replace(claimed(), last_inbound_at=last), uuid4())
    assert refused.value.code == "no_template"


def test_a_sandbox_takes_free_text_at_any_time() -> None:
    assert carried(whatsapp(Desk(), free_text=True), claimed()).template is None


def test_a_template_with_nothing_to_fill_a_place_is_not_sent() -> None:
    templates = {(Template.WELCOME, "fr"): ApprovedTemplate(SID, ("name",))}
    row = replace(claimed(), full_name=" ")
    with pytest.raises(Undeliverable, match="needs name, which this message lacks") as refused:
        whatsapp(Desk(), templates).carry(row, uuid4())
    assert refused.value.code == "no_template"
    assert carried(whatsapp(Desk(), templates, free_text=True), row).template is None


@pytest.mark.parametrize(
    ("give_way_after", "seconds"),
    [(timedelta(minutes=30), 1800), (timedelta(hours=9), 4 * 3600), (timedelta(0), 1)],
)
def test_whatsapp_waits_at_the_provider_no_longer_than_until_sms_takes_over(
    give_way_after: timedelta, seconds: int
) -> None:
    carrier = whatsapp(Desk(), free_text=True, give_way_after=give_way_after)
    assert carried(carrier, claimed()).validity_seconds == seconds


def test_a_channel_without_a_provider_says_so() -> None:
    carrier = UnprovidedCarrier("PUSH")
    with pytest.raises(Rejected, match="no provider is set up for PUSH") as refused:
        carrier.carry(claimed(), uuid4())
    assert (refused.value.code, carrier.provider) == ("no_provider", "none")


MAPPING = f"""
[WELCOME.fr]
sid = "{SID}"
variables = ["name", "product"]

[WELCOME.en]
sid = "{SID[:-1]}2"
variables = []
"""


def mapping(folder: Path, text: str) -> Path:
    path = folder / "whatsapp.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_mapping_names_an_approved_template_for_each_of_ours_and_each_language(tmp_path: Path) -> None:
    assert whatsapp_templates.load(mapping(tmp_path, MAPPING)) == {
        (Template.WELCOME, "fr"): ApprovedTemplate(SID, ("name", "product")),
        (Template.WELCOME, "en"): ApprovedTemplate(f"{SID[:-1]}2", ()),
    }
    assert whatsapp_templates.load(None) == {}


def test_all_that_is_wrong_with_a_mapping_is_told_at_once(tmp_path: Path) -> None:
    wrong = f"""
    top = 1
    [WELCOM.fr]
    sid = "{SID}"
    variables = []
    [WELCOME.de]
    sid = "{SID}"
    variables = []
    [WELCOME.fr]
    sid = "{SID}"
    variables = ["nom", "product", 3]
    [NEW_MESSAGE.fr]
    sid = "HX12"
    variables = []
    [NEW_MESSAGE.en]
    sid = "{SID}"
    variable = []
    [PAYMENT_FAILED]
    sid = "{SID}"
    """
    with pytest.raises(MappingError) as raised:
        whatsapp_templates.load(mapping(tmp_path, wrong))
    told = str(raised.value)
    for part in (
        "top is no template of ours",
        "[WELCOM.fr] is no template of ours; there are WELCOME,",
        "[WELCOME.de] is for no locale of ours: write [WELCOME.…] with fr or en",
        "[WELCOME.fr] names nom, 3, which it does not have; it has name, action_url, product, reference",
        "[NEW_MESSAGE.fr] has a sid that is not HX and 32 hexadecimal digits",
        '[NEW_MESSAGE.en] must have sid = "HX…" and variables = […], and nothing else',
        "[PAYMENT_FAILED.sid] is for no locale of ours",
    ):
        assert part in told
    assert told.count(";") >= 6


@pytest.mark.parametrize("text", ["[WELCOME.fr", "\x00"])
def test_a_mapping_that_is_no_toml_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(MappingError, match=r"whatsapp\.toml can't be read"):
        whatsapp_templates.load(mapping(tmp_path, text))


def test_a_mapping_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        whatsapp_templates.load(tmp_path / "whatsapp.toml")
