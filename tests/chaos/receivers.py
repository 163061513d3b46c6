"""The centre's webhook receiver and a mail server that misbehave in a seeded way, each in a process to be killed.

`python -m tests.chaos.receivers centre|mail ...` runs one. Each writes one line of JSON per copy that it took, before
it answers, and one when it has answered: what a kill came between is known so. As long as the file CALM is absent it
answers in spells of a few seconds: well, with an error, with "later", not at all, by cutting the connection, or by
taking the copy and cutting the answer.
"""

import argparse
import asyncio
import json
import random
import re
import signal
import socket
import struct
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from deploy.stack.mailbox import Mailbox
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch
from services.runtime.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
SPELL_S = 3.0
MOODS = ("well",) * 8 + ("error", "later", "hang", "cut", "half")
"""`half`: it takes the copy and cuts the answer; one more copy is right then."""
HANG_S = 12.0
RESET = struct.pack("ii", 1, 0)
MESSAGE_ID = re.compile(r"<([^.@>]+)[.@]")


class Moods:
    """Which mood a receiver is in now: the same for one seed and instant, whichever process asks."""

    def __init__(self, seed: str, calm: Path) -> None:
        self._seed = seed
        self._calm = calm
        self._clock = SystemClock()

    def now(self) -> str:
        if self._calm.exists():
            return "well"
        spell = int(self._clock.now().timestamp() / SPELL_S)
        return random.Random(f"{self._seed}/{spell}").choice(MOODS)


class Diary:
    """Appends lines of JSON to a file; a line that was written stays when the process is killed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._clock = SystemClock()

    def write(self, what: str, notice_id: str, **more: Any) -> None:
        line = json.dumps({"at": self._clock.now().timestamp(), "what": what, "id": notice_id, **more})
        with self._lock:
            self._file.write(line + "\n")


def read_diary(path: Path) -> list[dict[str, Any]]:
    """Return what a receiver wrote down; a last line cut by a kill is left out."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


class _Handler(BaseHTTPRequestHandler):
    """One connection of the centre's receiver."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    verifier: Webhook
    moods: Moods
    diary: Diary

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        notice_id = self.headers.get("webhook-id", "")
        try:
            body: Any = self.verifier.verify(raw, dict(self.headers.items()))
        except (WebhookVerificationError, ValueError):
            self.diary.write("unsigned", notice_id)
            self._answer(401)
            return
        mood = self.moods.now()
        if mood in ("well", "half"):
            self.diary.write("took", notice_id, mood=mood, data=body["data"])
        else:
            self.diary.write("sent_away", notice_id, mood=mood)
        self._behave(mood, notice_id)

    def _behave(self, mood: str, notice_id: str) -> None:
        if mood == "well":
            self._answer(204)
            self.diary.write("answered", notice_id)
        elif mood == "error":
            self._answer(500)
        elif mood == "later":
            self._answer(429, {"retry-after": str(random.Random(notice_id).choice((1, 5, 20)))})
        else:
            if mood == "hang":
                threading.Event().wait(HANG_S)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            self.connection.close()

    def _answer(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        return

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # the caller went away, or we cut it off ourselves
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def serve_centre(port: int, secret: str, moods: Moods, diary: Diary) -> None:
    handler = type("Handler", (_Handler,), {"verifier": Webhook(secret), "moods": moods, "diary": diary})
    _Server((HOST, port), handler).serve_forever()


class MailHandler:
    """What the mail server does with a mail."""

    def __init__(self, moods: Moods, diary: Diary) -> None:
        self._moods = moods
        self._diary = diary

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        mail = message_from_bytes(raw, policy=default)
        found = MESSAGE_ID.search(mail["message-id"] or "")  # a long one begins on a line of its own
        notice_id = found.group(1) if found else "?"
        mood = self._moods.now()
        if mood in ("well", "half"):
            self._diary.write("took", notice_id, mood=mood, subject=str(mail["subject"]))
        else:
            self._diary.write("sent_away", notice_id, mood=mood)
        if mood == "well":
            self._diary.write("answered", notice_id)
            return "250 kept"
        if mood == "hang":
            await asyncio.sleep(HANG_S)
        if mood in ("cut", "half") and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return "450 not now" if mood == "error" else "451 try again later"


def serve_mail(port: int, moods: Moods, diary: Diary) -> None:
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    controller = Controller(MailHandler(moods, diary), hostname=HOST, port=port)
    controller.start()
    signal.sigwait(ending)
    controller.stop()


class Centre(ChildPart):
    """The centre's own system: one webhook receiver."""

    name = "centre"
    stop_limit_s = 5.0

    def __init__(self, folder: Path, *, port: int, secret: str, seed: int) -> None:
        super().__init__(folder)
        self.port = port
        self.url = f"http://{HOST}:{port}/firenet"
        self._secret = secret
        self._seed = seed

    @property
    def diary(self) -> Path:
        return self.folder / "diary.jsonl"

    @property
    def calm(self) -> Path:
        return self.folder / "calm"

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"http": self.url}

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _prepare(self) -> Launch:
        require_port(self.port, "FIRENET_PORT_WEBHOOK")
        argv = _argv("centre", self.port, self._seed, self.diary, self.calm)
        return Launch([*argv, f"--secret={self._secret}"], cwd=ROOT)


class OddMailbox(Mailbox):
    """In the place of the demo's mailbox."""

    seed = 0

    @property
    def diary(self) -> Path:
        return self.folder / "diary.jsonl"

    @property
    def calm(self) -> Path:
        return self.folder / "calm"

    def ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.smtp_port), timeout=2) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

    def _prepare(self) -> Launch:
        require_port(self.smtp_port, self.smtp_setting)
        return Launch(_argv("mail", self.smtp_port, self.seed, self.diary, self.calm), cwd=ROOT)


def _argv(which: str, port: int, seed: int, diary: Path, calm: Path) -> list[str]:
    own = [f"--port={port}", f"--seed={seed}/{which}", f"--diary={diary}", f"--calm={calm}"]
    return [sys.executable, "-m", "tests.chaos.receivers", which, *own]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.receivers", description=__doc__)
    parser.add_argument("which", choices=("centre", "mail"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--diary", type=Path, required=True)
    parser.add_argument("--calm", type=Path, required=True)
    parser.add_argument("--secret", default="")
    options = parser.parse_args(arguments)
    moods, diary = Moods(options.seed, options.calm), Diary(options.diary)
    if options.which == "centre":
        serve_centre(options.port, options.secret, moods, diary)
    else:
        serve_mail(options.port, moods, diary)


if __name__ == "__main__":
    main()
