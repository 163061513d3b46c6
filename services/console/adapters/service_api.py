"""The HTTP API of another service of ours, as the console calls it for a person who waits."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from services.console.domain.documents import RawForm
from services.console.domain.errors import ConsoleError
from services.runtime.logging import get_logger

UPLOAD_S = 30.0
"""For a form with files, which the other service writes into its database."""


class ServiceApi:
    """One attempt with a deadline: a click that failed says so, and the reader clicks again.

    `refusal` makes an error of an answer that is one of the service's own; any other failure is `unavailable`.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        token: SecretStr,
        deadline_s: float,
        unavailable: type[ConsoleError],
        refusal: Callable[[httpx.Response], ConsoleError | None],
    ) -> None:
        self._client = client
        self._base_url = f"{base_url.rstrip('/')}/v1"
        self._token = token
        self._deadline_s = deadline_s
        self._unavailable = unavailable
        self._refusal = refusal

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        form: RawForm | None = None,
        headers: Mapping[str, str] | None = None,
        at_least_s: float = 0.0,
    ) -> httpx.Response:
        """Return the answer of a success; wait `at_least_s` for what takes longer than a click.

        Raises what `refusal` makes of an answer, `unavailable` otherwise.
        """
        sent = {"Authorization": f"Bearer {self._token.get_secret_value()}"} | dict(headers or {})
        if form is not None:
            sent["Content-Type"] = form.content_type
            at_least_s = max(at_least_s, UPLOAD_S)
        try:
            answer = await self._client.request(
                method,
                f"{self._base_url}{path}",
                params=params,
                json=json,
                content=None if form is None else form.content,
                headers=sent,
                timeout=max(at_least_s, self._deadline_s),
            )
        except httpx.HTTPError as error:
            raise self._failed(method, type(error).__name__) from error
        if answer.is_success:
            return answer
        raise self._refusal(answer) or self._failed(method, f"http_{answer.status_code}")

    async def ask_object(self, method: str, path: str, **asked: Any) -> dict[str, Any]:
        """Return the JSON object of a success. Raises as `ask` does; `unavailable` for anything else than an object."""
        told = parsed(await self.ask(method, path, **asked))
        if not isinstance(told, dict):
            raise self._failed(method, "no_object")
        return told

    def _failed(self, method: str, reason: str) -> ConsoleError:
        # never the path: that of a link would be the link
        get_logger().warning("service_call_failed", error=self._unavailable.code, method=method, reason=reason)
        return self._unavailable(reason)


def parsed(answer: httpx.Response) -> Any:
    """Return the JSON of an answer, None where it is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def reason_of(answer: httpx.Response) -> str:
    """Return the word in `reason` with which alerts and documents refuse, or nothing."""
    told = parsed(answer)
    reason = told.get("reason", "") if isinstance(told, dict) else ""
    return reason if isinstance(reason, str) else ""
