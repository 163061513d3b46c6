"""Accounts at providers of text messages and voice calls, from JSON files; see RUNBOOK, Secrets.

A file that cannot be used costs its own channel and nothing else: whoever reads it says so and goes on without.
"""

import json
import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.budgets import worst_a_day
from services.alerts.domain.delivery.delivery_reports import QUERY_PROFILES
from services.alerts.domain.delivery.telephony import PROFILES, Gateway, GatewayProvider, ReportAccess, Template
from services.alerts.domain.escalation.ladder import fallback_ladder
from services.kernel.words import Channel

GATEWAY_BYTES = 64 * 1024


class Unusable(Exception):
    """The file cannot be used. The message says why and holds nothing that stands in it but names of ours."""


class TemplateFile(BaseModel):
    """An approved template: its code, its parameters in its own order, by our names of values, and its text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(min_length=1, max_length=64)
    parameters: dict[str, Literal["unit", "kind", "step", "point", "since", "ended", "case"]] = {}
    text: str = Field(default="", max_length=500)


class ReportsFile(BaseModel):
    """How delivery reports reach us: pushed with `key`, and asked for where `query`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: SecretStr | None = Field(default=None, min_length=24, max_length=200)
    query: bool = False
    query_url: str | None = Field(default=None, max_length=400)
    acknowledge_key: Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"] | None = None


class GatewayFile(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    provider: GatewayProvider
    url: str | None = Field(default=None, max_length=400)
    key_id: SecretStr = SecretStr("")
    key: SecretStr
    sign_name: str = Field(default="", max_length=40)
    app_id: str = Field(default="", max_length=40)
    caller: str = Field(default="", max_length=40)
    templates: dict[Literal["fire", "alarm", "trouble", "common_cause", "all_clear"], TemplateFile]
    per_number_a_day: int | None = Field(default=None, ge=1, le=10_000)
    a_day: int | None = Field(default=None, ge=1, le=10_000_000)
    most_parts: int = Field(default=2, ge=1, le=10)
    reports: ReportsFile = ReportsFile()

    def gateway(self, channel: Channel) -> Gateway:
        """Return the account as `channel` uses it."""
        profile = PROFILES[channel, self.provider]
        return Gateway(
            provider=self.provider,
            profile=profile,
            url=self.url or profile.url,
            templates={sort: Template(one.code, one.parameters, one.text) for sort, one in self.templates.items()},
            per_number_a_day=self.per_number_a_day or profile.per_number_a_day,
            a_day=self.a_day,
            sign_name=self.sign_name,
            app_id=self.app_id,
            caller=self.caller,
            most_parts=self.most_parts,
            key_id=self.key_id.get_secret_value(),
            key=self.key.get_secret_value(),
            reports=self._reports(channel, self.url or profile.url),
        )

    def _reports(self, channel: Channel, url: str) -> ReportAccess:
        said = self.reports
        key = said.key.get_secret_value() if said.key is not None else ""
        if not re.fullmatch(r"[A-Za-z0-9_-]*", key):
            raise Unusable("reports: key: letters, digits, - and _ only: it stands in an address")
        if said.query and (channel, self.provider) not in QUERY_PROFILES:
            raise Unusable("reports: query: of this provider's calls reports are pushed only")
        if said.acknowledge_key is not None and channel is not Channel.VOICE:
            raise Unusable("reports: acknowledge_key: there are keys in calls only")
        return ReportAccess(
            key=key, query_url=(said.query_url or url) if said.query else None, acknowledge_key=said.acknowledge_key
        )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        least = worst_a_day(fallback_ladder(CaseKind.FIRE))
        if self.per_number_a_day is not None and self.per_number_a_day < least:
            raise ValueError(f"one fire alone takes {least} notices of a number's quota in a day")
        if "fire" not in self.templates:
            raise ValueError("a gateway needs a template for fires")
        if self.provider is GatewayProvider.PLAIN and not self.url:
            raise ValueError("a plain gateway needs its url")
        if self.provider is GatewayProvider.PLAIN and self.reports.query and not self.reports.query_url:
            raise ValueError("a plain gateway that is asked for reports needs reports.query_url")
        if self.provider is not GatewayProvider.PLAIN and not self.key_id.get_secret_value():
            raise ValueError("this provider needs a key_id")
        return self


def read_gateway(path: Path, channel: Channel) -> Gateway:
    """Return the account that `channel` uses. Raises Unusable."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(GATEWAY_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise Unusable(f"cannot be read as JSON: {type(error).__name__}") from None  # its text is secret
    try:
        return GatewayFile.model_validate(content).gateway(channel)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise Unusable("; ".join(f"{_field(one['loc'])}{one['msg']}" for one in problems)[:500]) from None


def _field(loc: tuple[int | str, ...]) -> str:
    """Return which of our fields it is; what else the file calls by a name may be a key in the wrong place."""
    if not loc:
        return ""
    return f"{loc[0]}: " if loc[0] in GatewayFile.model_fields else "a field unheard of: "
