"""The wiring of delivery: outboxes, channels and delivery_workers, as the settings say."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from services.alerts.adapters.channels import APPRISE_THREADS, open_channels, open_guarded
from services.alerts.adapters.delivery_report_queries import ProviderQuery
from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.mail import MailServer, SignedLinks
from services.alerts.adapters.mqtt_topics import MqttBroker
from services.alerts.adapters.postgres_groups import WriteDigest
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.domain.delivery.budgets import MINUTE, Budget, Quota, part_of_fires, part_of_others
from services.alerts.domain.delivery.destinations import Destinations
from services.alerts.domain.delivery.robots import PROFILES, provider_of
from services.alerts.domain.delivery.telephony import Gateway
from services.alerts.lanes.channel_files import ChannelFiles
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import ReportQuery, Retell, Tray
from services.alerts.settings import AlertsSettings
from services.alerts.worker.delivery import DeliveryWorker, Lanes
from services.alerts.worker.delivery_reports import QUESTIONS_AT_ONCE
from services.alerts.worker.fire_priority import FirePriority
from services.kernel.words import Channel
from services.runtime.clock import Clock
from services.runtime.postgres import Pool

SMTP_EXCHANGES = 8
"""Exchanges of one mail, each with its own deadline: greeting, EHLO, STARTTLS, sign-in, MAIL, RCPT, DATA, text."""


FIRE_LANES = 2
"""Lanes that carry fires: from the database and, while that is away, from memory."""


def pace_of(address: str, *, fire: bool) -> Budget | None:
    """Return how many notices a lane gives a robot in a minute; None for as many as there are.

    The lanes share no count, so each has a part of its own. A pace holds fires too: what comes quicker is refused, and
    so is all that follows.
    """
    try:
        provider, _ = provider_of(address)
    except ValueError:
        return None
    most = PROFILES[provider].per_minute
    for_fires = part_of_fires(most)
    return Budget(for_fires if fire else most - FIRE_LANES * for_fires, MINUTE)


def quotas_of(gateways: Mapping[Channel, Gateway], *, fire: bool) -> dict[Channel, Quota]:
    """Return what a lane takes of the quotas by telephone; fires are not held, and have a part of their own."""
    if fire:
        return {}
    return {
        channel: Quota(
            part_of_others(gateway.per_number_a_day), None if gateway.a_day is None else part_of_others(gateway.a_day)
        )
        for channel, gateway in gateways.items()
    }


def per_channel_of(mail_connections: int) -> dict[Channel, int]:
    """Return how many notices of a lane may be on their way by each channel at the same time.

    Each has its own: what hangs in one keeps no notice of another waiting. A slot is no thread and no connection to the
    database; only mails bring files along, and theirs are as few as their connections.
    """
    return {
        Channel.EMAIL: mail_connections,
        Channel.WEBHOOK: 28,
        Channel.ROBOT: 8,
        Channel.MQTT: 8,
        Channel.APPRISE: APPRISE_THREADS,
        Channel.SMS: 8,
        Channel.VOICE: 8,
    }


def for_retries_of(per_channel: Mapping[Channel, int]) -> dict[Channel, int]:
    """Return how many of them may be retries in a lane of fires; at least one, or nothing would be tried again."""
    return {channel: max(1, most - most // 4) for channel, most in per_channel.items()}


class DeliveryWorkers:
    """Makes the lanes of delivery of one process."""

    def __init__(
        self,
        settings: AlertsSettings,
        clock: Clock,
        metrics: AlertsMetrics,
        fire_priority: FirePriority,
        retell: Retell,
        write_digest: WriteDigest,
        files: ChannelFiles,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._fire_priority = fire_priority
        self._retell = retell
        self._write_digest = write_digest
        self._files = files

    def outbox(self, pool: Pool) -> PostgresOutbox:
        return PostgresOutbox(pool, notice_event, self._retell, self._write_digest)

    def worker(self, stack: AsyncExitStack, name: str, outbox: Tray) -> DeliveryWorker:
        """Each lane has its own connections, threads and slots."""
        settings = self._settings
        fire = name != "post"
        per_channel = per_channel_of(settings.mail_connections)
        slots = sum(per_channel.values())
        carriers = open_channels(
            stack,
            name=name,
            clock=self._clock,
            slots=slots,
            mail_server=self._mail_server(),
            mail_connections=settings.mail_connections,
            gateways=self._files.gateways,
            mqtt_broker=self._mqtt_broker(),
            mqtt_deadline_s=settings.mqtt_deadline_s,
            secrets_dir=settings.secrets_dir,
            allow_local=settings.allow_local_webhooks,
            inside=settings.webhook_networks,
            deadline_s=settings.webhook_deadline_s,
            ca=self._files.webhook_ca,
        )
        destinations = Destinations(
            slots=slots,
            per_address=8 if fire else 2,
            per_channel=per_channel,
            for_retries=for_retries_of(per_channel) if fire else {},
            rest=timedelta(seconds=0.2 if fire else 2),
            budget=partial(pace_of, fire=fire),
        )
        by_telephone = timedelta(seconds=2 * settings.webhook_deadline_s + 5)
        sending = {
            Channel.SMS: by_telephone,
            Channel.APPRISE: by_telephone,
            Channel.VOICE: by_telephone,
            Channel.WEBHOOK: timedelta(seconds=settings.webhook_deadline_s + 5),
            Channel.ROBOT: timedelta(seconds=2 * settings.webhook_deadline_s + 5),
            Channel.MQTT: timedelta(seconds=settings.mqtt_deadline_s + 5),
            Channel.EMAIL: timedelta(seconds=SMTP_EXCHANGES * settings.smtp_timeout_s + 5),
        }
        return DeliveryWorker(
            outbox=outbox,
            carriers=carriers,
            lanes=Lanes(fire, sending, destinations, quotas_of(self._files.gateways, fire=fire)),
            metrics=self._metrics,
            clock=self._clock,
            fire_priority=self._fire_priority,
        )

    def report_queries(self, stack: AsyncExitStack) -> dict[Channel, ReportQuery]:
        """Return how providers are asked for delivery reports, where a gateway's file says so."""
        asked = {
            channel: (gateway, gateway.reports.query_url)
            for channel, gateway in self._files.gateways.items()
            if gateway.reports.query_url is not None
        }
        if not asked:
            return {}
        settings = self._settings
        guarded = open_guarded(
            stack,
            slots=QUESTIONS_AT_ONCE,
            allow_local=settings.allow_local_webhooks,
            inside=settings.webhook_networks,
            deadline_s=settings.webhook_deadline_s,
            ca=self._files.webhook_ca,
        )
        return {
            channel: ProviderQuery(
                channel=channel,
                gateway=gateway,
                url=url,
                client=guarded,
                clock=self._clock,
                deadline_s=settings.webhook_deadline_s,
            )
            for channel, (gateway, url) in asked.items()
        }

    def _mqtt_broker(self) -> MqttBroker | None:
        settings = self._settings
        if settings.mqtt_host is None or not self._files.has_broker:
            return None
        return MqttBroker(
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            client_id=f"firenet-{settings.instance}",
            tls=self._files.broker_tls,
            user=settings.mqtt_user,
            password=settings.mqtt_password.get_secret_value() if settings.mqtt_password else None,
        )

    def _mail_server(self) -> MailServer:
        settings = self._settings
        return MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.mail_from,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            timeout_s=settings.smtp_timeout_s,
            reply_to=settings.mail_reply_to,
            bounces_to=settings.mail_bounces_to,
            links=SignedLinks(
                settings.console_url,
                self._files.link_key,
                timedelta(days=settings.link_days),
            ),
        )
