"""The read-only page of the mailbox. Everything a mail says is escaped; no script runs, nothing is fetched."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode

from deploy.stack.mail_store import Attachment, Mail, MailStore
from services.kernel.calendar import CHINA

PAGE = 100
MAX_QUERY = 500
NEWEST = 200
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #888; }
body { font: 15px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h1 small, .dim { color: var(--dim); font-weight: normal; }
ol { list-style: none; padding: 0; } li { border-top: 1px solid var(--line); padding: .7rem 0; }
a { color: inherit; text-decoration: none; } a:hover b { text-decoration: underline; }
li b, dd, pre { overflow-wrap: anywhere; } dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem 1rem; }
dt { color: var(--dim); } dd { margin: 0; } pre { white-space: pre-wrap; border-top: 1px solid var(--line);
  padding-top: 1rem; font: inherit; } dd a, pre a { text-decoration: underline; }
form { float: right; } button { font: inherit; padding: .3rem .8rem; cursor: pointer; }
"""
_ADDRESS = re.compile(r"https?://[\w.:\[\]-]+(?:/[\w./~%=-]*)?(?:\?[\w=&.%~-]*)?", re.ASCII)


class MailPage(ThreadingHTTPServer):
    """GET `/`, `/recipients`, `/mails.json`, `/mails/KEY[.eml]`, `/mails/KEY/N`, `/ready`, POST `/again`; nothing else.

    `/mails/KEY/N` is the file N of a mail, from 1; `/` takes `to` (a recipient) and `page` (from 1). `/again` leaves a
    file at `wanted_again`, by which the demo is asked to tell its story once more.
    """

    daemon_threads = True

    def __init__(self, store: MailStore, *, host: str, port: int, wanted_again: Path) -> None:
        super().__init__((host, port), _Handler)
        self.store = store
        self.wanted_again = wanted_again
        # a page elsewhere that has its own name point to loopback must not read the mails
        self.hosts = {f"{name}:{port}" for name in (host, "localhost")}


class _Handler(BaseHTTPRequestHandler):
    server: MailPage
    server_version = "mailbox"
    sys_version = ""
    timeout = 10

    def do_POST(self) -> None:
        origin = self.headers.get("Origin", "")
        if origin.removeprefix("http://") not in self.server.hosts or self.path != "/again":
            self._answer("only a form of this page is taken", "text/plain", HTTPStatus.FORBIDDEN)
            return
        self.server.wanted_again.touch()
        self._send(b"", "text/plain", HTTPStatus.SEE_OTHER, {"Location": "/"})

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.hosts:
            self._answer("this page has another name", "text/plain", HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = self.path.partition("?")[0]
        pages: dict[str, Callable[[], None]] = {
            "/": self._list,
            "/recipients": self._recipients,
            "/mails.json": self._json,
            "/ready": self._ready,
        }
        if path in pages:
            pages[path]()
        elif path.startswith("/mails/"):
            self._one(path.removeprefix("/mails/"))
        else:
            self._answer("there is no such page", "text/plain", HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: a page that refreshes itself would fill the log."""

    def _ready(self) -> None:
        self._answer("ready", "text/plain")

    def _json(self) -> None:
        mails = [asdict(mail) for mail in self.server.store.mails(NEWEST)]
        self._answer(json.dumps({"mails": mails}, ensure_ascii=False), "application/json")

    def _list(self) -> None:
        asked = parse_qs(self.path.partition("?")[2][:MAX_QUERY])
        page = asked.get("page", ["1"])[0]
        html = list_html(
            self.server.store.mails(),
            asked.get("to", [""])[0],
            int(page) if re.fullmatch("[1-9][0-9]{0,3}", page) else 1,
        )
        self._answer(html, "text/html", refresh_s=3)

    def _recipients(self) -> None:
        self._answer(recipients_html(self.server.store.mails()), "text/html")

    def _one(self, name: str) -> None:
        key, _, number = name.partition("/")
        if number:
            self._file(key, number)
            return
        body = self.server.store.body(name.removesuffix(".eml")) if name.endswith(".eml") else None
        mail = self.server.store.mail(name)
        if body is not None:
            self._answer(body.decode("utf-8", "replace"), "text/plain")
        elif mail is not None:
            self._answer(mail_html(mail, self.server.store.attachments(name)), "text/html")
        else:
            self._answer("there is no such mail", "text/plain", HTTPStatus.NOT_FOUND)

    def _file(self, key: str, number: str) -> None:
        files = self.server.store.attachments(key)
        if not re.fullmatch("[1-9][0-9]?", number) or int(number) > len(files):
            self._answer("there is no such file", "text/plain", HTTPStatus.NOT_FOUND)
            return
        file = files[int(number) - 1]
        name = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"}
        self._send(file.content, "application/octet-stream", HTTPStatus.OK, name)

    def _answer(self, text: str, kind: str, status: HTTPStatus = HTTPStatus.OK, *, refresh_s: int = 0) -> None:
        more = {"Refresh": str(refresh_s)} if refresh_s else {}
        self._send(text.encode("utf-8", "replace"), f"{kind}; charset=utf-8", status, more)

    def _send(self, content: bytes, kind: str, status: HTTPStatus, more: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def list_html(mails: list[Mail], to: str = "", page: int = 1) -> str:
    """Return one page of the mails, of all or of those to one recipient."""
    found = [mail for mail in mails if not to or to in mail.envelope_to]
    shown = found[PAGE * (page - 1) : PAGE * page]
    rows = "".join(
        f'<li><a href="/mails/{escape(mail.key)}"><b>{escape(mail.subject or "(无主题 no subject)")}</b><br>'
        f'<span class="dim">{_beijing(mail.received_at)} · {escape(mail.envelope_from)} → '
        f"{escape(', '.join(mail.envelope_to))}</span></a></li>"
        for mail in shown
    )
    empty = '<p class="dim">还没有邮件 · no mail yet</p>'
    again = '<form method="post" action="/again"><button>再演一遍 · play the demo\'s story again</button></form>'
    heading = f"{again}<h1>邮箱 <small>Mailbox · {len(found)} 封</small></h1>{_whose(mails, to)}"
    return _page("邮箱 Mailbox", f"{heading}{f'<ol>{rows}</ol>' if rows else empty}{_turn(len(found), to, page)}")


def _whose(mails: list[Mail], to: str) -> str:
    if to:
        return f'<p>收件人 Recipient: <b>{escape(to)}</b> · <a href="/">全部 all</a></p>'
    many = len({address for mail in mails for address in mail.envelope_to})
    return f'<p><a href="/recipients">收件人 Recipients ({many})</a></p>' if many else ""


def recipients_html(mails: list[Mail]) -> str:
    """Return the page of the recipients, how many mails each has: after a storm one letter lies among hundreds."""
    many = Counter(address for mail in mails for address in mail.envelope_to)
    rows = "".join(
        f'<li><a href="/?{escape(urlencode({"to": address}))}"><b>{escape(address)}</b> '
        f'<span class="dim">{count}</span></a></li>'
        for address, count in sorted(many.items())
    )
    body = f'<p><a href="/">← 邮箱</a></p><h1>收件人 <small>Recipients</small></h1><ol>{rows}</ol>'
    return _page("收件人 Recipients", body)


def _turn(found: int, to: str, page: int) -> str:
    pages = -(-found // PAGE)

    def link(number: int, word: str) -> str:
        asked = urlencode({"to": to, "page": number} if to else {"page": number})
        return f'<a href="/?{escape(asked)}">{word}</a>' if 1 <= number <= pages and number != page else ""

    turns = (link(page - 1, "← 较新 newer"), f"{page} / {pages}", link(page + 1, "较早 older →"))
    return f'<p class="dim">{" · ".join(each for each in turns if each)}</p>' if pages > 1 or page > 1 else ""


def mail_html(mail: Mail, files: list[Attachment]) -> str:
    """Return the page of one mail."""
    links = "<br>".join(
        f'<a href="/mails/{escape(mail.key)}/{number}">{escape(file.name)}</a> {len(file.content)} B'
        for number, file in enumerate(files, 1)
    )
    fields = {
        "发件人 From": escape(mail.sender or mail.envelope_from),
        "收件人 To": escape(", ".join(mail.envelope_to)),
        "时间 Time": _beijing(mail.received_at),
        "Message-ID": escape(mail.message_id),
        **({"附件 Files": links} if links else {}),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in fields.items())
    source = f'<a href="/mails/{escape(mail.key)}.eml">原文 source</a>'
    raw = f'<p><a href="/">← 邮箱</a> <span class="dim">· {source}</span></p>'
    return _page(mail.subject, f"{raw}<h1>{escape(mail.subject)}</h1><dl>{rows}</dl><pre>{_linked(mail.text)}</pre>")


def _linked(text: str) -> str:
    """Return the text escaped, its addresses as links: a letter is signed for and answered by one."""
    link = '<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
    ends, found = 0, []
    for address in _ADDRESS.finditer(text):
        found += [escape(text[ends : address.start()]), link.format(escape(address[0]))]
        ends = address.end()
    return "".join(found) + escape(text[ends:])


def _beijing(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def _page(title: str, body: str) -> str:
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"<head>{meta}<title>{escape(title)}</title><style>{STYLE}</style></head>"
    return f'<!doctype html><html lang="zh-CN">{head}<body>{body}</body></html>'
