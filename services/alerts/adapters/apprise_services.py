"""The long tail of messengers through Apprise: whatever has a URL of it. What it says is "handed over", nothing more.

Apprise connects by itself, so nothing of `guarded_http` holds here. Therefore its URL is never in the register, only
the name of a file that an operator wrote: who may write there may send anywhere anyway. Redirects are not followed,
nothing is attached (Apprise would fetch it), no plug-in of anybody's is loaded, nothing is sent to this machine's own
desktop or log. Group robots that are known to be reported wrongly are refused: for them there is a channel of ours.
"""

import asyncio
import logging
from functools import partial
from typing import Any

from services.alerts.adapters.daemon_threads import DaemonThreads
from services.alerts.adapters.secrets import NoSecret, SecretFiles
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready

SCHEME = "apprise:"
OURS = frozenset({"dingtalk", "wecom", "wecombot", "feishu", "lark", "mqtt", "mqtts", "mailto", "mailtos"})
"""Schemes of Apprise that we have a channel for, which knows what the other side really said."""
HERE = frozenset({"syslog", "dbus", "qt", "glib", "kde", "gnome", "macosx", "windows"})
"""Schemes that end on this machine, where nobody reads."""


class AppriseChannel:
    """See ports.DeliveryChannel. A service that hangs holds a thread of its own, never the event loop, nor a process
    that ends.

    Its library is loaded with the first notice: it takes half a second, which nobody pays who does not use it.
    """

    def __init__(self, *, secrets: SecretFiles, threads: int, name: str, deadline_s: float) -> None:
        self._secrets = secrets
        self._deadline_s = deadline_s
        self._threads = DaemonThreads(threads, f"apprise-{name}")

    async def send(self, notice: Ready) -> Outcome:
        try:
            url = self._secrets.lines(notice.to.address.removeprefix(SCHEME))[0]
        except NoSecret as error:
            return Outcome(Reason.NO_SECRET, str(error))
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._threads.run(partial(_send, url, notice, self._deadline_s))
        except TimeoutError:
            return Outcome(Reason.TIMEOUT, "no end of it")

    def close(self) -> None:
        self._threads.close()


def _send(url: str, notice: Ready, deadline_s: float) -> Outcome:
    scheme = url.partition("://")[0].strip().lower()
    if scheme in OURS or scheme in HERE:
        return Outcome(Reason.ADDRESS_REFUSED, "a scheme that is not for Apprise")
    service = _service(url)
    if service is None:
        return Outcome(Reason.NO_SECRET, "the first line is no URL that Apprise knows")
    service.redirects = False
    service.socket_connect_timeout = min(service.socket_connect_timeout, deadline_s)
    service.socket_read_timeout = min(service.socket_read_timeout, deadline_s)
    if service.notify(title=notice.subject, body=notice.body):
        return Outcome(None, "handed over, no more is known")
    return Outcome(Reason.SERVER_ERROR, "not handed over")


def _service(url: str) -> Any:
    import apprise

    logging.getLogger("apprise").disabled = True  # it would write what it sends where
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, plugin_paths=[])
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
