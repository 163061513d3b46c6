"""A process of ours as a part: the same start, watch and stop as the brokers and the database have."""

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.stack.part import ChildPart
from deploy.stack.process import Launch
from services.runtime.clock import Clock

ROOT = Path(__file__).resolve().parents[2]


class Service(ChildPart):
    """One process, `[sys.executable, "-m", "services.ingest"]` say, with the whole environment it gets.

    It counts as ready when `ready` says so, or as soon as it runs when nothing is given to ask.
    """

    stop_limit_s = 15.0

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        ready: Callable[[], bool] | None = None,
        addresses: Mapping[str, str] | None = None,
        start_limit_s: float = 60.0,
        stop_limit_s: float = stop_limit_s,
        nice: int = 0,
        needs: tuple[str, ...] = (),
        mute_is_dead: bool = True,
        root: Path = ROOT,
        clock: Clock | None = None,
    ) -> None:
        """`root`: where its code is, this version's own or that of another one."""
        super().__init__(folder, clock=clock)
        self.name = name
        self.start_limit_s = start_limit_s
        self.stop_limit_s = stop_limit_s
        self.needs = needs
        self.mute_is_dead = mute_is_dead
        self._argv = list(argv)
        self._env = dict(env)
        self._ready = ready
        self._nice = nice
        self._root = root
        self._addresses = dict(addresses or {})

    @property
    def addresses(self) -> Mapping[str, str]:
        return self._addresses

    def ready(self) -> bool:
        return self.alive() and (self._ready is None or self._ready())

    def _prepare(self) -> Launch:
        return Launch(self._argv, env=self._env, cwd=self._root, nice=self._nice)


def http_ok(url: str, *, limit_s: float = 2.0) -> Callable[[], bool]:
    """Return a check that is True when the address answers with a status below 400."""

    def check() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=limit_s) as answer:  # noqa: S310 - our own service's address
                return bool(answer.status < 400)
        except (urllib.error.URLError, OSError, ValueError):
            return False

    return check
