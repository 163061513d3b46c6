"""The read-only page of the mailbox. Everything a mail says is escaped; no script runs, nothing is fetched."""

import json
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.stack.mail_store import Mail, MailStore

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #888; }
body { font: 15px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h1 small, .dim { color: var(--dim); font-weight: normal; }
ol { list-style: none; padding: 0; } li { border-top: 1px solid var(--line); padding: .7rem 0; }
a { color: inherit; text-decoration: none; } a:hover b { text-decoration: underline; }
li b, dd, pre { overflow-wrap: anywhere; } dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem 1rem; }
dt { color: var(--dim); } dd { margin: 0; } pre { white-space: pre-wrap; border-top: 1px solid var(--line);
  padding-top: 1rem; font: inherit; }
"""


class MailPage(ThreadingHTTPServer):
    """GET `/`, `/mails.json`, `/mails/KEY`, `/mails/KEY.eml` and `/ready`; anything else is refused."""

    daemon_threads = True

    def __init__(self, store: MailStore, *, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.store = store
        # a page elsewhere that has its own name point to loopback must not read the mails
        self.hosts = {f"{name}:{port}" for name in (host, "localhost")}


class _Handler(BaseHTTPRequestHandler):
    server: MailPage
    server_version = "mailbox"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.hosts:
            self._answer("this page has another name", "text/plain", HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = self.path.partition("?")[0]
        pages: dict[str, Callable[[], None]] = {"/": self._list, "/mails.json": self._json, "/ready": self._ready}
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
        mails = [asdict(mail) for mail in self.server.store.mails()]
        self._answer(json.dumps({"mails": mails}, ensure_ascii=False), "application/json")

    def _list(self) -> None:
        self._answer(list_html(self.server.store.mails()), "text/html", refresh_s=3)

    def _one(self, name: str) -> None:
        body = self.server.store.body(name.removesuffix(".eml")) if name.endswith(".eml") else None
        mail = self.server.store.mail(name)
        if body is not None:
            self._answer(body.decode("utf-8", "replace"), "text/plain")
        elif mail is not None:
            self._answer(mail_html(mail), "text/html")
        else:
            self._answer("there is no such mail", "text/plain", HTTPStatus.NOT_FOUND)

    def _answer(self, text: str, kind: str, status: HTTPStatus = HTTPStatus.OK, *, refresh_s: int = 0) -> None:
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if refresh_s:
            self.send_header("Refresh", str(refresh_s))
        self.end_headers()
        self.wfile.write(content)


def list_html(mails: list[Mail]) -> str:
    """Return the page of the newest mails."""
    rows = "".join(
        f'<li><a href="/mails/{escape(mail.key)}"><b>{escape(mail.subject or "(无主题 no subject)")}</b><br>'
        f'<span class="dim">{escape(mail.received_at[:19])} · {escape(mail.envelope_from)} → '
        f"{escape(', '.join(mail.envelope_to))}</span></a></li>"
        for mail in mails
    )
    empty = '<p class="dim">还没有邮件 · no mail yet</p>'
    return _page("邮箱 Mailbox", f"<h1>邮箱 <small>Mailbox</small></h1>{f'<ol>{rows}</ol>' if rows else empty}")


def mail_html(mail: Mail) -> str:
    """Return the page of one mail."""
    fields = {
        "发件人 From": mail.sender or mail.envelope_from,
        "收件人 To": ", ".join(mail.envelope_to),
        "时间 Time": mail.received_at,
        "Message-ID": mail.message_id,
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in fields.items())
    source = f'<a href="/mails/{escape(mail.key)}.eml">原文 source</a>'
    raw = f'<p><a href="/">← 邮箱</a> <span class="dim">· {source}</span></p>'
    return _page(mail.subject, f"{raw}<h1>{escape(mail.subject)}</h1><dl>{rows}</dl><pre>{escape(mail.text)}</pre>")


def _page(title: str, body: str) -> str:
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"<head>{meta}<title>{escape(title)}</title><style>{STYLE}</style></head>"
    return f'<!doctype html><html lang="zh-CN">{head}<body>{body}</body></html>'
