"""Sign-in by an identity provider: who it says somebody is, and which account an administrator linked to that."""

from services.console.domain.accounts import Session, SignIn, session_of
from services.console.domain.errors import BadCredentials, ConsoleError, NotLinked, ProviderRefused, ProviderUnavailable
from services.console.domain.identity import Answer, Asked
from services.console.metrics import Metrics
from services.console.ports.accounts import Accounts, IdentityProvider, Secrets
from services.console.worker.authentication import LoginLimits
from services.runtime.clock import Clock

OUTCOMES: dict[type[ConsoleError], SignIn] = {
    ProviderUnavailable: SignIn.PROVIDER_UNAVAILABLE,
    ProviderRefused: SignIn.PROVIDER_REFUSED,
    NotLinked: SignIn.NOT_LINKED,
    BadCredentials: SignIn.BAD_CREDENTIALS,
}


class ProviderSignIn:
    """Implements the port `ByProvider`. It makes no account, and gives none a right."""

    def __init__(
        self,
        provider: IdentityProvider,
        accounts: Accounts,
        secrets: Secrets,
        clock: Clock,
        metrics: Metrics,
        rules: LoginLimits,
    ) -> None:
        self._provider = provider
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock
        self._metrics = metrics
        self._rules = rules

    async def begin(self) -> Asked:
        return await self._provider.ask()

    async def complete(self, asked: Asked, answer: Answer) -> tuple[str, Session]:
        try:
            result = await self._complete(asked, answer)
        except ConsoleError as error:
            self._metrics.logins.labels(OUTCOMES.get(type(error), SignIn.DATA_UNAVAILABLE)).inc()
            raise
        self._metrics.logins.labels(SignIn.OK).inc()
        return result

    async def leave(self) -> str | None:
        return await self._provider.leave()

    async def _complete(self, asked: Asked, answer: Answer) -> tuple[str, Session]:
        identity = await self._provider.who(asked, answer)
        account = await self._accounts.linked(identity)
        if account is None or account.disabled or account.viewer.is_screen:
            raise NotLinked(identity.subject)
        now = self._clock.now()
        until = now + self._rules.session
        token, csrf = self._secrets.token(), self._secrets.token()
        await self._accounts.open_session(self._secrets.digest(token), account, csrf, now, until, by_provider=True)
        return token, session_of(account, csrf, until, by_provider=True)
