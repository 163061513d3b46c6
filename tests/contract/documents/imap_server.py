"""An IMAP server (Twisted's) on loopback over a folder of mails: `python -m ... PORT FOLDER`.

The mails are the files of the folder by name, and their UIDs their places. It keeps no flags and lets nothing be
changed: a client that tried would fail.
"""

import io
import sys
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import protocol, reactor
from twisted.mail import imap4
from zope.interface import implementer  # type: ignore[import-untyped]  # has no types

USER, PASSWORD = b"answers", b"hidden-word"


@implementer(imap4.IMessage, imap4.IMessageFile)
class Message:
    def __init__(self, uid: int, path: Path) -> None:
        self._uid = uid
        self._path = path

    def getUID(self) -> int:
        return self._uid

    def getFlags(self) -> list[str]:
        return []

    def getInternalDate(self) -> str:
        return "Wed, 04 Mar 2026 08:00:00 +0000"

    def getSize(self) -> int:
        return self._path.stat().st_size

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._path.read_bytes())


@implementer(imap4.IMailbox)
class Box:
    """`validity` is written in the folder's file of that name; a mailbox that was made anew has another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _mails(self) -> list[Message]:
        return [Message(place, path) for place, path in enumerate(sorted(self._folder.glob("*.eml")), 1)]

    def getUIDValidity(self) -> int:
        return int((self._folder / "validity").read_text())

    def getUIDNext(self) -> int:
        return len(self._mails()) + 1

    def getMessageCount(self) -> int:
        return len(self._mails())

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return 0

    def isWriteable(self) -> bool:
        return False

    def getFlags(self) -> list[str]:
        return []

    def getHierarchicalDelimiter(self) -> str:
        return "/"

    def addListener(self, listener: Any) -> None: ...

    def removeListener(self, listener: Any) -> None: ...

    def fetch(self, messages: Any, uid: bool) -> list[tuple[int, Message]]:
        found = self._mails()
        messages.last = len(found)
        return [(one.getUID(), one) for one in found if one.getUID() in messages]


@implementer(imap4.IAccount)
class Account:
    def __init__(self, folder: Path) -> None:
        self._box = Box(folder)

    def select(self, name: str, rw: bool = True) -> Box | None:
        return self._box if name.upper() == "INBOX" else None


class Realm:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def requestAvatar(self, avatar: Any, mind: Any, *interfaces: Any) -> Any:
        return imap4.IAccount, Account(self._folder), lambda: None


class Factory(protocol.ServerFactory):
    def __init__(self, portal: Any) -> None:
        self._portal = portal

    def buildProtocol(self, addr: Any) -> Any:
        make: Any = imap4.IMAP4Server
        server = make()
        server.portal = self._portal
        return server


def main(port: int, folder: Path) -> None:
    checker: Any = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(USER, PASSWORD)
    realm: Any = Realm(folder)
    loop: Any = reactor
    loop.listenTCP(port, Factory(Portal(realm, [checker])), interface="127.0.0.1")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
