"""What people do in the story of the demo: the department signs and answers from the link of its letter, the brigade
accepts, and once the case is closed its evidence is written and checked as a third party would.

Everything goes the way that a person takes: the mailbox, the page behind the link, the console, the command line.
"""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.stack.firenet import FireNet
from deploy.stack.mail_store import MailStore
from deploy.stack.part import PartError
from services.kernel.calendar import CHINA
from services.runtime.clock import Clock

Show = Callable[[str], None]
EVERY_S = 1.0
CLOSED_WITHIN = timedelta(minutes=5)
LINK = re.compile(r"(http://\S+/d/\S+)")
LETTER = re.compile(r"联网中断问题的抄告函（(\S+号)）")
TO = "health@demo.firenet.example"
"""Of the letters about lost connections the health department's alone; all others are left to whoever looks."""
NAME = "陈静（演示）"
ANSWER = {
    "text": "已督促该单位，装置供电已修复，监控中心可见其恢复联网。",
    "measures": "更换传输装置电源；安排专人值守至恢复。",
    "name": NAME,
}


class Answering:
    """Runs in a thread of its own until `stop`; whatever does not work costs a line, never the demo."""

    def __init__(self, firenet: FireNet, accounts: str, show: Show, clock: Clock) -> None:
        """`accounts`: as `services.console demo-accounts --json` printed them."""
        self._firenet = firenet
        self._passwords: Mapping[str, str] = {one["username"]: one["password"] for one in json.loads(accounts)}
        self._show = show
        self._clock = clock
        self._mails = MailStore(firenet.mailbox.mails, keep=1000, clock=clock)
        self._seen: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            try:
                self._turn(stop)
            except (httpx.HTTPError, PartError, OSError, LookupError, ValueError) as error:
                told = f"the answer of the story did not come about: {type(error).__name__} {str(error)[:200]}"
                self._say("演示中的回函未能完成", told, sign="·")

    def _turn(self, stop: threading.Event) -> None:
        for mail in reversed(self._mails.mails(200)):
            if mail.key in self._seen:
                continue
            self._seen.add(mail.key)
            link, letter = LINK.search(mail.text), LETTER.search(mail.subject)
            if link is not None and letter is not None and mail.envelope_to == [TO]:
                self._answer(letter[1], link[1], stop)

    def _answer(self, number: str, link: str, stop: threading.Event) -> None:
        with httpx.Client(trust_env=False, timeout=30) as reader:
            reader.get(link).raise_for_status()  # shows, and does nothing
            signed = reader.post(f"{link}/sign", data={"name": NAME})
            if signed.status_code != httpx.codes.SEE_OTHER:
                raise ValueError(f"the receipt was answered with {signed.status_code}")
            self._say(
                f"卫生健康局从邮件链接签收{number}", f"the Health Bureau signs for {number} from the link of its mail"
            )
            seen = re.search(r'value="reply"><input type="hidden" name="seen" value="([^"]*)"', reader.get(link).text)
            if seen is None:
                raise ValueError("the page has no form for a reply")
            done_by = self._clock.now().astimezone(CHINA).date() + timedelta(days=1)
            form = ANSWER | {"kind": "reply", "seen": seen[1], "done_by": done_by.isoformat()}
            files = {name: (None, value) for name, value in form.items()}
            answer = reader.post(f"{link}/submissions", files=files)
            if answer.status_code != httpx.codes.SEE_OTHER:
                raise ValueError(f"the reply was answered with {answer.status_code}")
            self._say("并从同一链接回函", "and answers from the same link")
        self._accept(number, stop)

    def _accept(self, number: str, stop: threading.Event) -> None:
        with httpx.Client(base_url=self._firenet.console_url, trust_env=False, timeout=30) as brigade:
            csrf = self._sign_in(brigade, "brigade")
            rows = _json(brigade.get("/api/v1/documents", params={"limit": 200}))["rows"]
            document = _first(row for row in rows if row["number"] == number)
            one = _json(brigade.get(f"/api/v1/documents/{document['document_id']}"))
            reply = _first(each for each in one["submissions"] if each["state"] == "submitted")
            path = f"/api/v1/documents/{document['document_id']}/submissions/{reply['submission_id']}/decision"
            _json(brigade.post(path, json={"verdict": "accepted"}, headers={"X-CSRF-Token": csrf}))
            self._say("消防救援大队采纳回函", "the fire brigade accepts the reply")
            self._prove(brigade, one["case_id"], stop)

    def _sign_in(self, client: httpx.Client, username: str) -> str:
        """Sign in and return the token that acts need."""
        (token,) = re.findall(r'name="form_token" value="([^"]+)"', client.get("/login").text)
        form = {"username": username, "password": self._passwords[username], "code": "", "form_token": token}
        client.post("/login", data=form)
        (csrf,) = re.findall(r'data-csrf="([^"]+)"', client.get("/").text)
        return str(csrf)

    def _prove(self, brigade: httpx.Client, case_id: str, stop: threading.Event) -> None:
        until: datetime = self._clock.now() + CLOSED_WITHIN
        while _json(brigade.get(f"/api/v1/cases/{case_id}"))["case"]["closed_at"] is None:
            if stop.wait(EVERY_S):
                return
            if self._clock.now() > until:
                raise ValueError(f"the case is still open after {CLOSED_WITHIN}")
        path: Path = self._firenet.folder / f"{case_id}.zip"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._firenet.command("services.alerts", "bundle", case_id, str(path), cancel=stop)
        checked = self._firenet.command("services.alerts", "check-bundle", str(path), cancel=stop).strip().splitlines()
        self._say(
            f"单位恢复，案件办结；证据包 {path} 核验通过",
            f"the unit is back and the case is closed; its evidence bundle is checked: {checked[-1]}",
        )

    def _say(self, zh: str, en: str, sign: str = "✓") -> None:
        self._show(f"[{self._clock.now().astimezone(CHINA):%H:%M:%S}] {sign} {zh} | {en}")


def _first(found: Iterable[Any]) -> Any:
    """Return the first of them. Raises ValueError where somebody else was faster and there is none."""
    for one in found:
        return one
    raise ValueError("somebody else has done it already")


def _json(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()
