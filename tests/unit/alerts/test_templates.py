"""The text of an approved template, as an operator writes it down: by it a message's parts are counted."""

from dataclasses import replace

import pytest

from services.alerts.domain.delivery.telephony import (
    PROFILES,
    Gateway,
    GatewayProvider,
    Template,
    message_of,
    unfilled,
)
from services.kernel.words import Channel

PLACES = Template("1", {"who": "unit", "what": "kind"})


@pytest.mark.parametrize(
    ("text", "said", "odd"),
    [
        ("{unit}发生{kind}", "医院发生火警", []),
        ("{1}发生{2}", "医院发生火警", []),
        ("${who}发生${what}", "医院发生火警", []),
        ("{}发生{3}", "发生", ["{}", "{3}"]),
        ("{unit:>99999999}{kind.real}", "", ["{unit:>99999999}", "{kind.real}"]),
        ("火警 } {unit", "火警 } {unit", ["}", "{"]),
    ],
)
def test_no_text_of_a_template_keeps_a_fire_from_being_sent(text: str, said: str, odd: list[str]) -> None:
    template = replace(PLACES, text=text)
    profile = PROFILES[Channel.SMS, GatewayProvider.PLAIN]
    gateway = Gateway(GatewayProvider.PLAIN, profile, "", {"fire": template}, per_number_a_day=50)
    message = message_of(gateway, "fire", {"unit": "医院", "kind": "火警"}, "13800138000", "n")
    assert (message.text, message.parts) == (said, 1)
    assert unfilled(template) == odd
