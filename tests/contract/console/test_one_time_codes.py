"""Codes from telephones: the fake and the real with pyotp behave alike; the real ones keep what RFC 6238 says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from services.console.adapters.one_time_codes import TotpCodes
from services.console.domain.errors import SecondFactorUnavailable, WrongCode
from services.console.domain.second_factor import as_typed
from services.console.ports.accounts import OneTimeCodes
from tests.fakes.console import T0, FakeCodes

KEY, OTHER = b"a key of sixteen characters", b"another key of as many"
Shown = Callable[[str, datetime], str]
"""What a telephone with this secret shows at an instant."""


def _of_totp(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def _of_fake(_secret: str, at: datetime) -> str:
    return f"{int(at.timestamp()) // 30 % 1_000_000:06d}"


@pytest.fixture(params=["fake", "totp"])
def codes(request: pytest.FixtureRequest) -> tuple[OneTimeCodes, Shown]:
    return (FakeCodes(), _of_fake) if request.param == "fake" else (TotpCodes([KEY]), _of_totp)


def test_a_first_code_confirms_and_each_has_its_step(codes: tuple[OneTimeCodes, Shown]) -> None:
    maker, shown = codes
    begun = maker.begin("ann", T0)
    factor = maker.confirm(begun.pending, "ann", shown(begun.secret, T0), T0)
    assert begun.secret not in factor.sealed or isinstance(maker, FakeCodes)
    steps = [
        maker.step_of(factor.sealed, "ann", shown(begun.secret, T0 + timedelta(seconds=30 * n)), T0)
        for n in (-2, -1, 0, 1, 2)
    ]
    assert steps == [None, factor.step - 1, factor.step, factor.step + 1, None]
    assert maker.step_of(factor.sealed, "bea", shown(begun.secret, T0), T0) is None, "sealed for ann alone"


@pytest.mark.parametrize("wrong", ["code", "owner", "late", "pending"])
def test_what_confirms_nothing(codes: tuple[OneTimeCodes, Shown], wrong: str) -> None:
    maker, shown = codes
    begun = maker.begin("ann", T0)
    now = T0 + timedelta(minutes=15) if wrong == "late" else T0
    code = "x" if wrong == "code" else shown(begun.secret, now)
    pending = "nothing of ours" if wrong == "pending" else begun.pending
    with pytest.raises(WrongCode):
        maker.confirm(pending, "bea" if wrong == "owner" else "ann", code, now)


def test_the_codes_are_those_of_the_standard_and_the_picture_is_the_address() -> None:
    # RFC 6238, appendix B, at 1111111109 s: the last six of 07081804, of the secret 12345678901234567890.
    maker, at = TotpCodes([KEY]), datetime.fromtimestamp(1111111109, UTC)
    sealed = maker._sealed("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "ann")
    assert maker.step_of(sealed, "ann", "081804", at) == 1111111109 // 30
    begun = maker.begin("ann", T0)
    assert begun.address == f"otpauth://totp/FireNet:ann?secret={begun.secret}&issuer=FireNet"
    assert begun.picture.startswith("M0 0h1v1h-1z")  # the corner of a finder pattern
    assert begun.picture.count("M") < begun.size**2


def test_a_new_key_opens_what_the_former_sealed_and_none_opens_nothing() -> None:
    begun = TotpCodes([OTHER]).begin("ann", T0)
    factor = TotpCodes([OTHER]).confirm(begun.pending, "ann", _of_totp(begun.secret, T0), T0)
    code = _of_totp(begun.secret, T0)
    assert TotpCodes([KEY, OTHER]).step_of(factor.sealed, "ann", code, T0) == factor.step
    assert TotpCodes([KEY]).step_of(factor.sealed, "ann", code, T0) is None
    assert not TotpCodes([]).offered
    assert TotpCodes([]).step_of(factor.sealed, "ann", code, T0) is None
    with pytest.raises(SecondFactorUnavailable):
        TotpCodes([]).begin("ann", T0)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (" 123 456", "123456"),
        ("123-456", "123456"),
        ("ABCD-efgh", "abcd-efgh"),
        ("１２３４５６", "１２３４５６"),
        ("", ""),
    ],
)
def test_codes_are_read_as_people_type_them(typed: str, read: str) -> None:
    assert as_typed(typed) == read
