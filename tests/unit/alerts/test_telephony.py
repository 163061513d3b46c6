"""Text messages and calls: who gets them for what, what they cost, and what a gateway's file says."""

import json
from pathlib import Path

import pytest

from services.alerts.adapters.gateway_files import Unusable, read_gateway
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.letters import letter_of_step
from services.alerts.domain.delivery.telephony import parts_of
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address, Contact
from services.alerts.domain.routing.recipients import addresses_of, recipients_of
from services.kernel.words import Channel, Recipient, TelephoneUse
from tests.unit.alerts.build import T0, Book, case, contact

NUMBER = "13800138000"


@pytest.mark.parametrize(
    ("use", "urgent", "rings"),
    [
        (None, True, False),
        (TelephoneUse.FIRES, True, True),
        (TelephoneUse.FIRES, False, False),
        (TelephoneUse.ALL, False, True),
    ],
)
def test_a_telephone_is_used_for_what_its_contact_says(use: TelephoneUse | None, urgent: bool, rings: bool) -> None:
    one = Contact(ContactId("c"), BodyCode("centre"), "office", "zh", phone=NUMBER, sms=use, voice=use)
    found = {address.channel: address.address for address in addresses_of(one, urgent=urgent)}
    assert found == ({Channel.SMS: f"sms:{NUMBER}", Channel.VOICE: f"tel:{NUMBER}"} if rings else {})


@pytest.mark.parametrize(("characters", "parts"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_parts_are_counted_as_carriers_do(characters: int, parts: int) -> None:
    assert parts_of("火" * characters) == parts


def test_a_character_beyond_the_basic_plane_counts_twice() -> None:
    assert parts_of("\U00020bb7" * 35) == 1
    assert parts_of("\U00020bb7" * 36) == 2


def test_a_text_message_is_values_and_no_text() -> None:
    one = case()
    to = Address(ContactId("c"), BodyCode("centre"), Channel.SMS, f"sms:{NUMBER}", None, "zh")
    _, body, _ = TemplateWriter("https://firenet.example").write(
        letter_of_step(one, one.ladder[0], T0), NoticeId("0" * 32), to
    )
    said = json.loads(body)
    assert said["sort"] == "trouble"
    assert said["values"]["unit"] == one.facts.name
    assert "http" not in body


GOOD = {"provider": "aliyun", "key_id": "i", "key": "hidden-key", "templates": {"fire": {"code": "SMS_1"}}}


def test_a_gateway_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "sms.json"
    path.write_text(json.dumps(GOOD))
    account = read_gateway(path, Channel.SMS)
    assert (account.per_number_a_day, account.url) == (50, "https://dysmsapi.aliyuncs.com/")
    assert "hidden-key" not in repr(account)


@pytest.mark.parametrize(
    "content",
    [
        "hidden-key",
        "[" * 50_000,
        json.dumps([GOOD]),
        json.dumps(GOOD | {"templates": {}}),
        json.dumps(GOOD | {"key_id": ""}),
        json.dumps(GOOD | {"provider": "plain"}),
        json.dumps(GOOD | {"templates": {"fire": {"code": "SMS_1", "parameters": {"a": "password"}}}}),
        json.dumps(GOOD | {"hidden-key": 1}),
    ],
)
def test_a_gateways_file_that_could_not_send_a_fire_is_unusable_and_its_keys_stay_hidden(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "sms.json"
    path.write_text(content)
    with pytest.raises(Unusable) as refused:
        read_gateway(path, Channel.SMS)
    assert "hidden-key" not in str(refused.value)
    assert str(refused.value)


@pytest.mark.parametrize(("kind", "told"), [(CaseKind.CONNECTION_LOST, False), (CaseKind.FIRE, True)])
def test_a_telephone_for_fires_alone_does_not_count_as_told_of_anything_else(kind: CaseKind, told: bool) -> None:
    book = Book(contact("c", "centre", email=None, phone=NUMBER, sms=TelephoneUse.FIRES))
    found = recipients_of(book, case(kind), (Recipient.CENTRE,), T0)
    assert bool(found.addresses) is told
    assert (found.names, found.missing) == ((("centre",), ()) if told else ((), ("centre",)))
