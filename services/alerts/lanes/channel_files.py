"""The files that channels are reached by, read once at start. One that cannot be used costs its channel, no alarm."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.alerts.adapters.gateway_files import Unusable, read_gateway
from services.alerts.adapters.guarded_http import receivers_tls
from services.alerts.adapters.mqtt_topics import broker_tls
from services.alerts.domain.delivery.budgets import part_of_others
from services.alerts.domain.delivery.telephony import Gateway, unfilled
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import AlertsSettings
from services.kernel.words import Channel
from services.runtime.logging import get_logger
from services.runtime.settings import keys_of


@dataclass(frozen=True, slots=True)
class ChannelFiles:
    """`has_broker`: notices to topics have a broker that they can go to. `webhook_ca` can be read, or is None."""

    gateways: Mapping[Channel, Gateway]
    has_broker: bool
    broker_tls: ssl.SSLContext | None
    webhook_ca: Path | None
    link_key: bytes | None

    @property
    def per_number_a_day(self) -> int | None:
        """Return how many ordinary notices a telephone gets in a day; None: no gateway says so."""
        quotas = [gateway.per_number_a_day for gateway in self.gateways.values()]
        return part_of_others(min(quotas)) if quotas else None


Broken = Callable[[Channel, Path | None, str], None]
"""Told of a channel, its file and why that cannot be used."""


def read_channel_files(settings: AlertsSettings, metrics: AlertsMetrics) -> ChannelFiles:
    """Return what can be used. What cannot is logged with its file and why, and counted; never raises."""

    def broken(channel: Channel, path: Path | None, why: str) -> None:
        get_logger().error("channel_file_unusable", channel=str(channel), file=str(path or ""), why=why)
        metrics.channel_broken.labels(channel).set(1)

    for channel, path in (
        (Channel.EMAIL, settings.smtp_password_file),
        (Channel.EMAIL, settings.link_key_file),
        (Channel.MQTT, settings.mqtt_password_file),
    ):
        if path is not None:
            broken(channel, path, "the entrypoint could not read it")
    accounts = ((Channel.SMS, settings.sms_gateway), (Channel.VOICE, settings.voice_gateway))
    gateways = {
        channel: gateway
        for channel, path in accounts
        if path is not None and (gateway := _gateway(channel, path, broken)) is not None
    }
    has_broker, tls = _broker(settings, broken)
    return ChannelFiles(
        gateways, has_broker, tls, _webhook_ca(settings.webhook_ca, broken), _link_key(settings, broken)
    )


def _gateway(channel: Channel, path: Path, broken: Broken) -> Gateway | None:
    try:
        gateway = read_gateway(path, channel)
    except Unusable as error:
        broken(channel, path, str(error))
        return None
    for sort, template in gateway.templates.items():
        if odd := unfilled(template):
            get_logger().warning("gateway_template_odd", channel=str(channel), sort=sort, unfilled=odd)
    return gateway


def _broker(settings: AlertsSettings, broken: Broken) -> tuple[bool, ssl.SSLContext | None]:
    """Return whether there is a broker to go to, and what it is checked by."""
    if settings.mqtt_host is None or settings.mqtt_security == "none":
        return settings.mqtt_host is not None, None
    try:
        return True, broker_tls(settings.mqtt_ca)
    except OSError as error:  # an SSLError is one
        broken(Channel.MQTT, settings.mqtt_ca, _no_certificates(error))
        return False, None


def _webhook_ca(ca: Path | None, broken: Broken) -> Path | None:
    if ca is None:
        return None
    try:
        receivers_tls(ca)
    except OSError as error:
        broken(Channel.WEBHOOK, ca, f"{_no_certificates(error)}; the public authorities alone are trusted")
        return None
    return ca


def _link_key(settings: AlertsSettings, broken: Broken) -> bytes | None:
    """Return the key of links in mails, which documents must know; without one they lead to the case."""
    try:
        keys = keys_of(settings.link_key)
    except ValueError as error:
        broken(Channel.EMAIL, None, f"ALERTS_LINK_KEY: {error}")
        return None
    if len(keys) > 1:
        broken(Channel.EMAIL, None, "ALERTS_LINK_KEY: links are made with one key, the first of those is taken")
    return keys[0] if keys else None


def _no_certificates(error: OSError) -> str:
    return f"cannot be read as certificates in PEM form: {type(error).__name__}"
