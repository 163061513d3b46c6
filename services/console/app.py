"""The only wiring of the console: settings in, a running service or one command done."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from prometheus_client import CollectorRegistry

from services.console.adapters.alerts_client import HttpCaseCommands
from services.console.adapters.changes import PostgresChanges
from services.console.adapters.circulars import Circulars
from services.console.adapters.documents_client import HttpDocuments
from services.console.adapters.encode import JsonEncoder
from services.console.adapters.kafka_orders import KafkaReplayOrders
from services.console.adapters.listings_client import HttpListings
from services.console.adapters.oidc import OidcProvider, ProviderOptions
from services.console.adapters.one_time_codes import TotpCodes
from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.postgres_adjustments import PostgresAdjustments
from services.console.adapters.postgres_evaluation import PostgresEvaluation
from services.console.adapters.postgres_health_samples import PostgresHealthSamples
from services.console.adapters.postgres_history import PostgresHistory
from services.console.adapters.postgres_names import PostgresNames, initials_of
from services.console.adapters.postgres_read import PostgresReadModel
from services.console.adapters.postgres_refusals import PostgresRefusals
from services.console.adapters.postgres_register import PostgresRegister
from services.console.adapters.postgres_report_schedules import PostgresReportSchedules
from services.console.adapters.postgres_reports import PostgresReports
from services.console.adapters.postgres_system import PostgresSystem
from services.console.adapters.postgres_what_ifs import PostgresWhatIfs
from services.console.adapters.refusal_copy import RefusalCopy
from services.console.adapters.refusal_feed import RefusalFeed
from services.console.adapters.register_client import HttpRegisterOrders
from services.console.adapters.registry_client import HttpAdjustmentOrders
from services.console.adapters.report_files import MadeReports
from services.console.adapters.report_mail import MailWords, SmtpReports
from services.console.adapters.secrets import Argon2Passwords, RandomSecrets, generated_password
from services.console.adapters.status_pages import StatusPages
from services.console.adapters.web import texts
from services.console.adapters.web.oidc import ProviderParts
from services.console.adapters.web.site import LinkParts, SiteOptions, build_site
from services.console.domain import report_schedules
from services.console.domain.account_audit import AccountAct, broken_at
from services.console.domain.accounts import Account, BadAccount, checked_account, checked_password
from services.console.domain.errors import AccountExists, IdentityTaken, NotFound
from services.console.domain.identity import Identity, is_subject
from services.console.domain.screens import NewScreen, Screen
from services.console.domain.viewer import Viewer
from services.console.metrics import Metrics, RateGauges, ReportMailMetrics
from services.console.settings import ConsoleSettings
from services.console.worker.accounts import AccountUseCases, open_screen
from services.console.worker.adjustments import AdjustmentUseCases
from services.console.worker.authentication import Authenticator, LoginLimits
from services.console.worker.district_map import MapService
from services.console.worker.documents import DocumentUseCases, LinkThrottle, MailUseCases
from services.console.worker.evaluation import EvaluationUseCases
from services.console.worker.history import HistoryService
from services.console.worker.listings import ListingUseCases
from services.console.worker.live import LiveBounds, LiveHub
from services.console.worker.names import NameIndexer
from services.console.worker.provider_sign_in import ProviderSignIn
from services.console.worker.rates import RateExport
from services.console.worker.refusals import RefusalService
from services.console.worker.register import RegisterUseCases
from services.console.worker.report_schedules import ReportMailer, ScheduleUseCases
from services.console.worker.reports import ReportService
from services.console.worker.shared import SharedReads
from services.console.worker.system_health import HealthSampler, SystemHealthService
from services.console.worker.what_ifs import WhatIfUseCases
from services.kernel.position import gcj02_of, wgs84_of
from services.runtime.clock import Clock, SystemClock
from services.runtime.consumer_metrics import ConsumerCollector
from services.runtime.lifecycle import Stop, supervise
from services.runtime.names import under_a_name
from services.runtime.postgres import Pool, open_pool
from services.runtime.public_http import PublicServer
from services.runtime.smtp import SmtpServer
from services.runtime.status import Readiness, StatusServer, process_registry
from services.runtime.topic_ids import SavedTopicIds, topic_id_statements

READY_WITHIN_S = 10
BY_COMMAND = "command line"
"""Who did it, in the audit of accounts: no account has a space in its name."""
DEMO = (
    ("brigade", "brigade", None, "消防救援大队 · 值班员", "Fire brigade, duty officer"),
    ("centre", "centre", None, "监控中心 · 值班员", "Monitoring centre, duty officer"),
    ("health", "department", "health", "卫生健康局", "Health Bureau"),
)


async def run(settings: ConsoleSettings, stop: Stop) -> None:
    """Serve until stop. Raises OSError when a port is taken, TaskDied when a part ends early."""
    await under_a_name("console", settings, settings.status_port, stop, lambda named: _run(named, stop))


async def _run(settings: ConsoleSettings, stop: Stop) -> None:
    clock, registry = SystemClock(), process_registry()
    metrics = Metrics(registry)
    dsn = settings.database_dsn.get_secret_value()
    async with open_pool(dsn, "console", min_size=2, max_size=8) as pool, httpx.AsyncClient(trust_env=False) as http:
        read = PostgresReadModel(pool)
        hub = LiveHub(
            read=read,
            changes=PostgresChanges(dsn, stop),
            encoder=JsonEncoder(),
            secrets=RandomSecrets(),
            clock=clock,
            metrics=metrics,
            bounds=LiveBounds(
                refresh_s=settings.refresh_s,
                streams_total=settings.streams_total,
                streams_per_account=settings.streams_per_account,
            ),
        )
        passwords, accounts, codes = Argon2Passwords(), PostgresAccounts(pool), TotpCodes(settings.factor_keys)
        authenticator = Authenticator(
            accounts=accounts,
            passwords=passwords,
            secrets=RandomSecrets(),
            clock=clock,
            metrics=metrics,
            rules=LoginLimits(session=settings.session, factor_for_some=settings.second_factor_required),
            codes=codes,
        )
        commands = HttpCaseCommands(http, str(settings.alerts_url), settings.alerts_token, settings.alerts_deadline_s)
        documents = HttpDocuments(
            http, str(settings.documents_url), settings.documents_token, settings.alerts_deadline_s
        )
        histories = PostgresHistory(pool)
        refusals, orders = PostgresRefusals(pool), KafkaReplayOrders(settings.kafka_bootstrap)
        adjusting = HttpAdjustmentOrders(
            http, str(settings.registry_url), settings.registry_token, settings.registry_deadline_s
        )
        registering = HttpRegisterOrders(
            http, str(settings.registry_url), settings.registry_token, settings.registry_deadline_s
        )
        feed = RefusalFeed(
            RefusalCopy(pool),
            metrics,
            clock,
            owner=settings.instance,
            keep=settings.refusals_kept,
            keep_rows=settings.refusals_rows,
            watched=ConsumerCollector(registry).watch,
            topic_ids=SavedTopicIds(settings.kafka_bootstrap, pool, topic_id_statements("console")),
        )
        provider = provider_of(settings, clock)
        healths = SystemHealthService(
            PostgresSystem(pool),
            StatusPages(http, settings.health_services, settings.health_broker, settings.health_deadline_s),
            PostgresHealthSamples(pool),
            clock,
        )
        site = build_site(
            authenticator=authenticator,
            live=hub,
            read=SharedReads(read, clock),
            commands=commands,
            refusals=RefusalService(refusals, orders, clock),
            documents=DocumentUseCases(documents),
            mails=MailUseCases(documents),
            listings=ListingUseCases(
                HttpListings(http, str(settings.alerts_url), settings.alerts_token, settings.alerts_deadline_s),
                documents,
            ),
            links=LinkParts(documents, LinkThrottle(clock)),
            histories=HistoryService(histories),
            reports=ReportService(PostgresReports(pool), documents, clock),
            schedules=ScheduleUseCases(
                PostgresReportSchedules(pool),
                histories,
                RandomSecrets(),
                clock,
                sends=settings.smtp_host is not None,
            ),
            adjustments=AdjustmentUseCases(PostgresAdjustments(pool), adjusting, read, clock),
            accounts=AccountUseCases(accounts, passwords, RandomSecrets(), clock, codes, settings.oidc_issuer),
            evaluation=EvaluationUseCases(PostgresEvaluation(pool), adjusting, Circulars(documents, read), clock),
            register=RegisterUseCases(PostgresRegister(pool), registering),
            what_ifs=WhatIfUseCases(PostgresWhatIfs(pool), registering, clock),
            provider=None
            if provider is None
            else ProviderParts(
                ProviderSignIn(
                    provider, accounts, RandomSecrets(), clock, metrics, LoginLimits(session=settings.session)
                ),
                LinkThrottle(clock),
                settings.oidc_name,
            ),
            healths=healths,
            maps=MapService(read, clock, _shift(settings)),
            clock=clock,
            metrics=metrics,
            options=SiteOptions(
                https=settings.https,
                behind_proxy=settings.behind_proxy,
                mailbox_url=str(settings.mailbox_url) if settings.mailbox_url else None,
                parts_file=settings.parts_file,
                map_tiles=settings.map_tiles,
                map_tiles_credit=settings.map_tiles_credit,
                second_factor=codes.offered,
            ),
        )
        rates = RateExport(read=read, gauges=RateGauges(registry), metrics=metrics, every_s=settings.refresh_s)
        pages = PublicServer(site, settings.http_host, settings.http_port, connections=settings.streams_total + 256)

        def readiness() -> Readiness:
            last = hub.last_read_at
            fresh = last is not None and (clock.now() - last).total_seconds() < READY_WITHIN_S
            checks = {"database": "answers" if fresh else "no answer", "page": "up" if pages.started else "down"}
            return Readiness(fresh and pages.started, checks)

        status = StatusServer(settings.http_host, settings.status_port, readiness, registry)
        names = NameIndexer(PostgresNames(pool), initials_of)
        tasks = {
            "names": names.run(stop),
            "live": hub.run(stop),
            "rates": rates.run(stop),
            "health": HealthSampler(healths, metrics, clock).run(stop),
            "page": pages.serve(stop),
            "status": status.serve(stop),
            "refusals": feed.run(settings.kafka_bootstrap, stop),
        }
        mailer = None
        if settings.smtp_host is not None:
            mailer = _mailer(settings, settings.smtp_host, pool, read, documents, clock, registry)
            tasks["reports"] = mailer.run(stop)
        try:
            await supervise(stop, tasks)
        finally:
            if mailer is not None:
                await mailer.drain()
            await orders.close()
            if provider is not None:
                await provider.close()


def _mailer(
    settings: ConsoleSettings,
    host: str,
    pool: Pool,
    read: PostgresReadModel,
    documents: HttpDocuments,
    clock: Clock,
    registry: CollectorRegistry,
) -> ReportMailer:
    catalogue = texts.load()
    server = SmtpServer(
        host=host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        timeout_s=settings.smtp_timeout_s,
    )
    return ReportMailer(
        outbox=PostgresReportSchedules(pool),
        maker=MadeReports(PostgresReports(pool), read, documents, catalogue, clock),
        carrier=SmtpReports(server, MailWords(catalogue, settings.mail_from, settings.mail_console_url), clock),
        clock=clock,
        metrics=ReportMailMetrics(registry),
        an_hour=settings.report_mails_an_hour,
    )


def provider_of(settings: ConsoleSettings, clock: Clock) -> OidcProvider | None:
    """Return the identity provider, None where none is set."""
    if settings.oidc_issuer is None:
        return None
    here = str(settings.oidc_console_url).rstrip("/")
    return OidcProvider(
        ProviderOptions(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            secret=settings.oidc_client_secret.get_secret_value(),
            back=f"{here}/oidc/callback",
            out=f"{here}/login",
            deadline_s=settings.oidc_deadline_s,
            inside=settings.oidc_networks,
            ca=settings.oidc_ca,
            allow_local=settings.oidc_allow_local,
        ),
        clock,
    )


def _shift(settings: ConsoleSettings) -> Callable[[float, float], tuple[float, float]] | None:
    """Return what turns positions of the register into those of the tiles; None where there is nothing to turn."""
    if settings.map_tiles is None or settings.map_coordinates == settings.map_tiles_coordinates:
        return None
    return gcj02_of if settings.map_tiles_coordinates == "gcj02" else wgs84_of


@asynccontextmanager
async def _accounts(settings: ConsoleSettings) -> AsyncIterator[PostgresAccounts]:
    dsn = settings.database_dsn.get_secret_value()
    async with open_pool(dsn, "console-accounts", max_size=1) as pool:
        yield PostgresAccounts(pool)


async def add_account(
    settings: ConsoleSettings,
    *,
    username: str,
    role: str,
    department: str | None,
    display_name: str,
    password: str,
    administers: bool = False,
    display_name_en: str = "",
) -> Viewer:
    """Create the account or replace it; its sessions end. Raises BadAccount."""
    viewer = checked_account(
        username, role, department, display_name, administers=administers, display_name_en=display_name_en
    )
    hashed = await Argon2Passwords().hash(checked_password(password))
    account = Account(
        viewer.username,
        viewer.role,
        viewer.department,
        viewer.display_name,
        hashed,
        administers=administers,
        display_name_en=display_name_en,
    )
    async with _accounts(settings) as accounts:
        await accounts.put(account, AccountAct(SystemClock().now(), BY_COMMAND, "create"))
    return viewer


async def list_accounts(settings: ConsoleSettings) -> Sequence[Account]:
    async with _accounts(settings) as accounts:
        return await accounts.all()


async def disable_account(settings: ConsoleSettings, username: str) -> bool:
    """Return whether there was such an account."""
    async with _accounts(settings) as accounts:
        try:
            await accounts.disable(username, AccountAct(SystemClock().now(), BY_COMMAND, "disable"))
        except NotFound:
            return False
        return True


async def reset_second_factor(settings: ConsoleSettings, username: str) -> bool:
    """Take a lost second factor away; its sessions end. Return whether there was one."""
    async with _accounts(settings) as accounts:
        try:
            await accounts.drop_second_factor(
                username, AccountAct(SystemClock().now(), BY_COMMAND, "second_factor_reset")
            )
        except NotFound:
            return False
        return True


async def link_account(settings: ConsoleSettings, username: str, subject: str | None) -> bool:
    """Link an account to a person at the provider, or to none. Return whether it could be. Raises BadAccount."""
    if subject is not None and (settings.oidc_issuer is None or not is_subject(subject)):
        raise BadAccount("subject: 1 to 255 ASCII characters, of the provider of CONSOLE_OIDC_ISSUER")
    identity = None if subject is None or settings.oidc_issuer is None else Identity(settings.oidc_issuer, subject)
    async with _accounts(settings) as accounts:
        try:
            act = AccountAct(SystemClock().now(), BY_COMMAND, "link" if identity else "unlink")
            await accounts.link(username, identity, act)
        except IdentityTaken:
            return False
        return True


async def accounts_audit(settings: ConsoleSettings) -> tuple[int, int | None]:
    """Return how many entries the audit of accounts has, and at which its chain does not hold, None when it does."""
    async with _accounts(settings) as accounts:
        links = await accounts.audited()
    return len(links), broken_at(links)


async def schedules_audit(settings: ConsoleSettings) -> tuple[int, int | None]:
    """Return what `accounts_audit` does, of the audit of schedules of reports."""
    async with open_pool(settings.database_dsn.get_secret_value(), "console-schedules", max_size=1) as pool:
        links = await PostgresReportSchedules(pool).audited()
    return len(links), report_schedules.broken_at(links)


async def add_screen(settings: ConsoleSettings, *, name: str, display_name: str, days: int) -> tuple[str, datetime]:
    """Create the screen or give it a new key; return the key and when it ends. Raises BadAccount.

    Not for the name of a person's account: that would lock the person out.
    """
    act = AccountAct(SystemClock().now(), BY_COMMAND, "screen")
    async with _accounts(settings) as accounts:
        try:
            made = await open_screen(accounts, RandomSecrets(), NewScreen(name, display_name, days), act)
        except AccountExists:
            raise BadAccount(f"name: {name} is the account of a person") from None
    return made.key, made.until


async def list_screens(settings: ConsoleSettings) -> Sequence[Screen]:
    async with _accounts(settings) as accounts:
        return await accounts.screens()


async def demo_accounts(settings: ConsoleSettings) -> list[tuple[Viewer, str]]:
    """Create or renew one account of each role; return each with its new password."""
    made = []
    for username, role, department, display_name, display_name_en in DEMO:
        password = generated_password()
        viewer = await add_account(
            settings,
            username=username,
            role=role,
            department=department,
            display_name=display_name,
            display_name_en=display_name_en,
            password=password,
        )
        made.append((viewer, password))
    return made


__all__ = [
    "accounts_audit",
    "add_account",
    "add_screen",
    "demo_accounts",
    "disable_account",
    "generated_password",
    "link_account",
    "list_accounts",
    "list_screens",
    "reset_second_factor",
    "run",
    "schedules_audit",
]
