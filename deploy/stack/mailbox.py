"""A mailbox for demos: it accepts any mail on loopback, keeps it as a file and shows it on a plain page.

`python -m deploy.stack.mailbox --smtp-port N --http-port N --dir FOLDER` runs it; `Mailbox` starts that.
"""

import argparse
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.stack.mail_page import MailPage
from deploy.stack.mail_store import MailStore
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, require_space
from services.runtime.clock import Clock, SystemClock

ROOT = Path(__file__).resolve().parents[2]
WANTED_AGAIN = "again"
MAX_MAIL_BYTES = 10 * 1024 * 1024


class Mailbox(ChildPart):
    """An SMTP server that keeps every mail, and a read-only page of them; at most `keep` mails, the newest."""

    name = "Mailbox"
    stop_limit_s = 5.0

    def __init__(
        self,
        folder: Path,
        *,
        smtp_port: int,
        http_port: int,
        smtp_setting: str = "MAILBOX_SMTP_PORT",
        http_setting: str = "MAILBOX_HTTP_PORT",
        keep: int = 2000,
        space_floor_mb: int = 64,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(folder, clock=clock)
        self.smtp_port = smtp_port
        self.http_port = http_port
        self.smtp_setting = smtp_setting
        self.http_setting = http_setting
        self.keep = keep
        self.space_floor_mb = space_floor_mb

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"smtp": f"{HOST}:{self.smtp_port}", "http": f"http://{HOST}:{self.http_port}/"}

    def takes_again(self) -> bool:
        """Say whether somebody has asked on the page for the story once more, since the last time."""
        try:
            (self.mails / WANTED_AGAIN).unlink()
        except FileNotFoundError:
            return False
        return True

    def ready(self) -> bool:
        """It serves its page only after it listens for mail."""
        try:
            with urllib.request.urlopen(f"{self.addresses['http']}ready", timeout=2) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _prepare(self) -> Launch:
        require_port(self.smtp_port, self.smtp_setting)
        require_port(self.http_port, self.http_setting)
        require_space(self.folder, self.space_floor_mb)
        ports = [f"--smtp-port={self.smtp_port}", f"--http-port={self.http_port}"]
        where = [f"--dir={self.mails}", f"--keep={self.keep}"]
        return Launch([sys.executable, "-m", "deploy.stack.mailbox", *ports, *where], cwd=ROOT, nice=10)


class Reception:
    """What the SMTP server does with a mail: keep it first, then say so."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        body = content.encode("utf-8", "replace") if isinstance(content, str) else content
        try:
            kept = self._store.add(envelope.mail_from or "", [str(to) for to in envelope.rcpt_tos], body)
        except OSError:
            return "452 the mailbox could not store the mail, try again later"
        return f"250 kept as {kept}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.stack.mailbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True, help="where it accepts mail, on loopback")
    parser.add_argument("--http-port", type=int, required=True, help="where it shows mail, on loopback")
    parser.add_argument("--dir", type=Path, required=True, help="folder that holds the mails")
    parser.add_argument("--keep", type=int, default=2000, help="how many mails are kept, the newest")
    options = parser.parse_args(arguments)
    options.dir.mkdir(parents=True, exist_ok=True)
    store = MailStore(options.dir, keep=options.keep, clock=SystemClock())
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # for every thread to come: `sigwait` below takes them
    smtp = Controller(
        Reception(store), hostname=HOST, port=options.smtp_port, data_size_limit=MAX_MAIL_BYTES, ident="FireNet mailbox"
    )
    smtp.start()
    page = MailPage(store, host=HOST, port=options.http_port, wanted_again=options.dir / WANTED_AGAIN)
    threading.Thread(target=page.serve_forever, name="page", daemon=True).start()
    print(f"mail to {HOST}:{options.smtp_port}, page at http://{HOST}:{options.http_port}/", flush=True)
    signal.sigwait(ending)
    page.shutdown()
    smtp.stop()


if __name__ == "__main__":
    main()
