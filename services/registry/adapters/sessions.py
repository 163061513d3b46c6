"""End sessions at the MQTT broker by taking over their client id, which on the gateways' listeners is the gateway's.

Told to read anew, Mosquitto checks the password of every live session again, but not the certificate of one: a
revoked certificate opens no new session and keeps the one it has. Tried with 2.0.11 and 2.0.21.
"""

import asyncio
import ssl
from collections.abc import Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from services.registry.domain.errors import BrokerUnavailable

LIMIT_S = 10.0


class MqttSessions:
    def __init__(
        self, *, host: str, port: int, username: str | None, password: str | None, ca_file: str | None
    ) -> None:
        self._host = host
        self._port = port
        self._account = (username, password)
        self._ca_file = ca_file

    async def end(self, gateway_ids: Sequence[str]) -> None:
        """End the session of each gateway, with what waits in it; one that has none is fine.

        Raises:  BrokerUnavailable, after those before it were ended.
        """
        for gateway_id in gateway_ids:
            await asyncio.to_thread(self._take_over, gateway_id)

    def _take_over(self, client_id: str) -> None:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=True, protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )  # fmt: skip
        refused: list[str] = []

        def on_connect(own: mqtt.Client, _: object, __: object, reason: ReasonCode, ___: object) -> None:
            if reason.is_failure:
                refused.append(str(reason))
            own.disconnect()

        client.on_connect = on_connect
        client.connect_timeout = LIMIT_S
        try:
            username, password = self._account
            if username is not None:
                client.username_pw_set(username, password)
            if self._ca_file is not None:
                client.tls_set(self._ca_file)
            client.connect(self._host, self._port)
            # The socket's own limit bounds each wait below; the broker ends it after our goodbye.
            while client.loop(timeout=LIMIT_S) == mqtt.MQTT_ERR_SUCCESS:
                pass
        except (OSError, ValueError, ssl.SSLError) as error:
            raise BrokerUnavailable(f"no MQTT broker at {self._host}:{self._port}: {error}") from error
        if refused:
            raise BrokerUnavailable(f"the MQTT broker refused us: {refused[0]}")
