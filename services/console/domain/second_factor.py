"""The second factor: a code of six digits from a telephone (TOTP, RFC 6238), or one of ten codes kept on paper."""

from dataclasses import dataclass

from services.console.domain.viewer import Role, Viewer

RECOVERY_CODES = 10
MAX_CODE = 40
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a telephone is shown. `pending` is the same, sealed: who confirms hands it back with a first code.

    `picture` is the QR code of `address` (otpauth://) as an SVG path on a grid of `size` modules, without its margin.
    """

    secret: str
    address: str
    picture: str
    size: int
    pending: str


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A sealed secret and the step (30 s each since 1970) of the code that confirmed it."""

    sealed: str
    step: int


def as_typed(code: str) -> str:
    """Return a code without what people put in between: spaces, and hyphens in six digits."""
    text = "".join(code[: 2 * MAX_CODE].split()).lower()
    digits = text.replace("-", "")
    return digits if is_from_telephone(digits) else text[:MAX_CODE]


def is_from_telephone(code: str) -> bool:
    return len(code) == DIGITS and code.isascii() and code.isdecimal()


def must_have_one(viewer: Viewer) -> bool:
    """Return whether the account administers others or approves what others ask for, as the brigade does."""
    return viewer.administers or viewer.role is Role.BRIGADE
