"""The wiring of synthetic alarms and of the dead-man's switch: beside the lanes, with connections of their own."""

import asyncio
import ipaddress
import secrets
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from services.alerts.adapters.guarded_http import GuardedClient, receiver_client
from services.alerts.adapters.outside_watcher import HttpsWatcher, PostgresChain
from services.alerts.adapters.postgres_synthetic import PostgresSyntheticRuns
from services.alerts.adapters.synthetic_receipt import PATH, OneKey
from services.alerts.adapters.synthetic_sender import Broker, MqttSyntheticSender
from services.alerts.adapters.webhook import WebhookChannel
from services.alerts.domain.synthetic import RunResult, Why, key_of
from services.alerts.lanes.parts import Parts
from services.alerts.ports import SyntheticSender
from services.alerts.settings import AlertsSettings
from services.alerts.worker.heartbeat import Heartbeat
from services.alerts.worker.synthetic import Schedule, SyntheticAlarms, SyntheticSchedule
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.postgres import Pool


def mark_key(settings: AlertsSettings) -> bytes:
    return key_of(settings.api_token.get_secret_value(), "mark")


def receipt_key(settings: AlertsSettings) -> bytes:
    return key_of(settings.api_token.get_secret_value(), "receipt")


def receiver_url(settings: AlertsSettings) -> str:
    """Return where this very process receives: the guard lets nothing but this machine through."""
    host = ipaddress.ip_address(settings.http_host) if settings.http_host.replace(".", "").isdigit() else None
    name = "127.0.0.1" if host is None or host.is_unspecified else str(host)
    return f"http://{name}:{settings.http_port}{PATH}"


def sender_of(settings: AlertsSettings, clock: Clock) -> SyntheticSender | None:
    if settings.synthetic_mqtt_host is None:
        return None
    broker = Broker(
        settings.synthetic_mqtt_host,
        settings.synthetic_mqtt_port,
        settings.synthetic_mqtt_username,
        settings.synthetic_mqtt_password,
        settings.synthetic_mqtt_tls_ca,
    )
    return MqttSyntheticSender(broker, clock)


def schedule_of(parts: Parts, runs: PostgresSyntheticRuns, sender: SyntheticSender | None) -> SyntheticSchedule:
    settings = parts.settings
    return SyntheticSchedule(
        runs=runs,
        sender=sender,
        schedule=Schedule(
            timedelta(hours=settings.synthetic_every_h), timedelta(seconds=settings.synthetic_deadline_s)
        ),
        new_id=lambda: secrets.token_hex(8),
        key=mark_key(settings),
        metrics=parts.metrics,
        clock=parts.clock,
    )


def alarms_of(parts: Parts, runs: PostgresSyntheticRuns, stack: AsyncExitStack) -> SyntheticAlarms:
    """Return what follows synthetic alarms in this process; it delivers by a channel that leads only to ourselves."""
    settings, deadline_s = parts.settings, parts.settings.webhook_deadline_s
    client = receiver_client(connections=1, deadline_s=deadline_s)
    stack.push_async_callback(client.aclose)
    guarded = GuardedClient(client=client, apart=client, allow_local=True, deadline_s=deadline_s)
    stack.callback(guarded.close)
    return SyntheticAlarms(
        runs=runs,
        channel=WebhookChannel(client=guarded, secrets=OneKey(receipt_key(settings)), clock=parts.clock),
        writer=parts.writer,
        receiver=receiver_url(settings),
        key=mark_key(settings),
        pace=parts.composer.pace,
        metrics=parts.metrics,
        clock=parts.clock,
        wake=parts.wake_events["synthetic"],
    )


def synthetic_tasks(
    parts: Parts, alarms: SyntheticAlarms, pool: Pool, stop: Stop
) -> dict[str, Coroutine[Any, Any, None]]:
    """Return the tasks: following everywhere; beginning and ending not in the process that is there for fires alone."""
    tasks = {"synthetic": parts.turns.run("synthetic", alarms.turn, stop, beside_alarms=True)}
    if parts.settings.lane != "fire":
        schedule = schedule_of(parts, PostgresSyntheticRuns(pool), sender_of(parts.settings, parts.clock))
        tasks["synthetic-schedule"] = parts.turns.run("synthetic-schedule", schedule.turn, stop, beside_alarms=True)
    return tasks


def heartbeat_tasks(
    parts: Parts, pool: Pool, stack: AsyncExitStack, stop: Stop
) -> dict[str, Coroutine[Any, Any, None]]:
    """Return the task of the dead-man's switch, none where no address is named or the process is for fires alone."""
    settings = parts.settings
    if settings.heartbeat_url is None or settings.lane == "fire":
        return {}
    client = receiver_client(connections=1, deadline_s=settings.webhook_deadline_s, ca=parts.channel_files.webhook_ca)
    stack.push_async_callback(client.aclose)
    guarded = GuardedClient(
        client=client,
        apart=client,
        allow_local=settings.allow_local_webhooks,
        inside=settings.webhook_networks,
        deadline_s=settings.webhook_deadline_s,
    )
    stack.callback(guarded.close)
    heartbeat = Heartbeat(
        chain=PostgresChain(pool),
        watcher=HttpsWatcher(guarded, settings.heartbeat_url, parts.clock),
        tasks=parts.health.checks,
        synthetic_every=timedelta(hours=settings.synthetic_every_h if settings.synthetic_mqtt_host else 0),
        every_s=settings.heartbeat_every_s,
        metrics=parts.metrics,
        clock=parts.clock,
    )
    return {"heartbeat": parts.turns.run("heartbeat", heartbeat.turn, stop, beside_alarms=True)}


async def send_one(parts: Parts, pool: Pool) -> RunResult | None:
    """Send a synthetic alarm on command and wait until it has ended; None when no broker is named."""
    runs, sender = PostgresSyntheticRuns(pool), sender_of(parts.settings, parts.clock)
    if sender is None:
        return None
    schedule = schedule_of(parts, runs, sender)
    run = await schedule.begin(Why.COMMAND)
    assert run is not None, "what is asked for has no slot to lose"
    while True:
        await schedule.turn()
        result = await runs.run(run.run_id)
        if result is None or result.outcome is not None:
            return result
        await asyncio.sleep(0.2)
