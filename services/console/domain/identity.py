"""Sign-in by an identity provider (OpenID Connect): who somebody is there, and what a browser keeps meanwhile."""

from dataclasses import dataclass

MAX_SUBJECT = 255
"""ASCII characters (OpenID Connect Core, 8)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at a provider. Only the pair names one: another provider may give the same subject to another."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that is under way. `address` is where the browser goes; the others stay in the browser that began it.

    `state` ties the answer to that browser, `nonce` the token to this question, `verifier` the code to us (PKCE).
    """

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brings back. `issuer` is who says to have answered (RFC 9207), where it says so."""

    code: str
    issuer: str | None = None


def is_subject(text: str) -> bool:
    return 1 <= len(text) <= MAX_SUBJECT and text.isascii() and text.isprintable()
