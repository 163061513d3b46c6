"""The channels of one lane of delivery: its own connections, threads and names, shared with no other lane."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from services.alerts.adapters.apprise_services import AppriseChannel
from services.alerts.adapters.guarded_http import GuardedClient, receiver_client
from services.alerts.adapters.mail import MailChannel, MailServer
from services.alerts.adapters.mqtt_topics import MqttBroker, MqttChannel
from services.alerts.adapters.robots import RobotChannel
from services.alerts.adapters.secrets import SecretFiles
from services.alerts.adapters.telephony import TelephoneChannel
from services.alerts.adapters.webhook import WebhookChannel
from services.alerts.domain.delivery.telephony import Gateway
from services.alerts.ports import DeliveryChannel
from services.kernel.words import Channel
from services.runtime.clock import Clock
from services.runtime.vetted_http import Networks

APPRISE_THREADS = 4


def open_guarded(
    stack: AsyncExitStack, *, slots: int, allow_local: bool, inside: Networks, deadline_s: float, ca: Path | None
) -> GuardedClient:
    """Return a client of its own connections; it is closed with `stack`."""
    client = receiver_client(connections=slots, deadline_s=deadline_s, ca=ca)
    stack.push_async_callback(client.aclose)
    apart = receiver_client(connections=slots, deadline_s=deadline_s, keep=False, ca=ca)
    stack.push_async_callback(apart.aclose)
    guarded = GuardedClient(client=client, apart=apart, allow_local=allow_local, inside=inside, deadline_s=deadline_s)
    stack.callback(guarded.close)
    return guarded


def open_channels(
    stack: AsyncExitStack,
    *,
    name: str,
    clock: Clock,
    slots: int,
    mail_server: MailServer,
    mail_connections: int,
    gateways: Mapping[Channel, Gateway],
    mqtt_broker: MqttBroker | None,
    mqtt_deadline_s: float,
    secrets_dir: Path,
    allow_local: bool,
    inside: Networks,
    deadline_s: float,
    ca: Path | None,
) -> Mapping[Channel, DeliveryChannel]:
    """Return each channel; they are closed with `stack`."""
    guarded = open_guarded(stack, slots=slots, allow_local=allow_local, inside=inside, deadline_s=deadline_s, ca=ca)
    mail = MailChannel(server=mail_server, clock=clock, threads=mail_connections, name=name)
    stack.callback(mail.close)
    mqtt = MqttChannel(broker=mqtt_broker, name=name, deadline_s=mqtt_deadline_s)
    stack.callback(mqtt.close)
    secrets = SecretFiles(secrets_dir)
    apprise = AppriseChannel(secrets=secrets, threads=APPRISE_THREADS, name=name, deadline_s=2 * deadline_s)
    stack.callback(apprise.close)
    return {
        Channel.EMAIL: mail,
        Channel.WEBHOOK: WebhookChannel(client=guarded, secrets=secrets, clock=clock),
        Channel.ROBOT: RobotChannel(client=guarded, secrets=secrets, clock=clock, deadline_s=deadline_s),
        Channel.MQTT: mqtt,
        Channel.APPRISE: apprise,
        **{
            channel: TelephoneChannel(client=guarded, gateway=gateways.get(channel), clock=clock, deadline_s=deadline_s)
            for channel in (Channel.SMS, Channel.VOICE)
        },
    }
