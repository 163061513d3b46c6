"""Settings of documents, all under `DOCUMENTS_`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.kernel.words import Instrument
from services.runtime.settings import NamedSettings, SecretKeys


def _pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for one in filter(None, (part.strip() for part in value.split(","))):
        body, sign, mark = (text.strip() for text in one.partition("="))
        if not sign or not body or not mark:
            raise ValueError(f"{one!r} is not BODY=MARK")
        found[body] = mark
    return found


def _words(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _each_its_own(marks: dict[str, str]) -> dict[str, str]:
    if len(set(marks.values())) < len(marks):
        raise ValueError("two bodies have the same mark: their numbers could not be told apart")
    return marks


class DocumentsSettings(NamedSettings):
    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_", extra="ignore", frozen=True, populate_by_name=True)

    group: str = Field(default="documents", max_length=80, description="Kafka consumer group, shared by all processes")
    http_port: int = Field(default=9106, ge=1, le=65535, description="port of status page and API")
    api_token: SecretStr = Field(
        default=SecretStr(""),
        description="bearer token that callers of the API must show, at least 8 characters; empty: there is no API",
    )
    link_keys: SecretKeys = Field(
        default=SecretStr(""),
        description="keys that signed links are proven with, with commas between them: the one that alerts uses, and "
        "those that it used before; empty: no link opens anything",
    )
    marks: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs), AfterValidator(_each_its_own)] = Field(
        default={"centre": "消监", "brigade": "消救"},
        description="issuers' codes for the document number (机关代字) by body code: `BODY=MARK`, with commas between "
        "them; a body without one has its code there",
    )
    drafts: Annotated[frozenset[Instrument], NoDecode, BeforeValidator(_words)] = Field(
        default=frozenset(),
        description="kinds of documents that their issuer numbers and dates itself, by code with commas between them, "
        "beside those of which no other body can make one (I5, I7, I9)",
    )
    pdf: bool = Field(default=True, description="make a PDF of each document, and of drafts a DOCX")
    pdf_timeout_s: float = Field(
        default=3.0, ge=0.1, le=60, description="how long the files of one document may take, seconds"
    )
    pdf_within_s: float = Field(
        default=5.0,
        ge=0,
        le=86_400,
        description="a request that is older gets text and page only, seconds: when many come at once none is late for "
        "its files (less than ALERTS_DOCUMENT_WAIT_S)",
    )
    pdf_max_bytes: int = Field(
        default=256 * 1024, ge=10_000, le=256 * 1024, description="a file that is larger is left out, bytes"
    )
    font_dirs: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(), description="folders with fonts beside those of the system, with commas between them"
    )
    strict_fonts: bool = Field(
        default=False,
        description="make no files where 仿宋 or 小标宋 is missing, instead of using another font and saying so",
    )
    imap_host: Annotated[str | None, BeforeValidator(lambda host: host or None)] = Field(
        default=None,
        description="mail server of the mailbox that answers by mail arrive in (IMAP); none: no mail is read",
    )
    imap_port: int = Field(default=993, ge=1, le=65535, description="port of that server")
    imap_security: Literal["none", "starttls", "tls"] = Field(default="tls", description="how it is encrypted")
    imap_user: str = Field(default="", max_length=200, description="account of that mailbox")
    imap_password: SecretStr = Field(default=SecretStr(""), description="password of that account")
    imap_folder: str = Field(default="INBOX", min_length=1, max_length=200, description="folder that is read")
    imap_timeout_s: float = Field(default=20, gt=0, le=120, description="deadline of each exchange, seconds")
    imap_every_s: float = Field(default=60, ge=1, le=86_400, description="how often it is looked into, seconds")
    mail_from: Annotated[frozenset[str], NoDecode, BeforeValidator(_words)] = Field(
        default=frozenset(),
        description="sender addresses of our own mails (ALERTS_MAIL_FROM), with commas between them: what comes from "
        "them is a loop and no answer",
    )
    poll_ms: int = Field(
        default=250,
        ge=10,
        le=10_000,
        description="how often issued documents are looked for without a wake-up, milliseconds",
    )

    @field_validator("api_token")
    @classmethod
    def _is_no_guess(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < 8:
            raise ValueError("a token has at least 8 characters")
        return token
