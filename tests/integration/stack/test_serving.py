"""Each embedded part serves an ordinary client."""

import queue
import secrets

import paho.mqtt.client as mqtt
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from tests.integration.stack.clients import mqtt_client, publish, subscribe

LIMIT_S = 60.0


async def test_kafka_gives_back_the_records_it_acknowledged(kafka_broker: str) -> None:
    topic = f"t-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_broker, acks="all", max_request_size=4 * 1024 * 1024)
    await producer.start()
    large = b"x" * 3_600_000
    for value in (b"small", large):
        await producer.send_and_wait(topic, value, key=b"unit-1")
    await producer.stop()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_broker, group_id=topic, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assert [(await consumer.getone()).value for _ in range(2)] == [b"small", large]
    finally:
        await consumer.stop()


async def test_kafka_makes_no_topic_that_nobody_ordered(kafka_broker: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    try:
        (answer,) = await admin.describe_topics([f"never-{secrets.token_hex(4)}"])
        assert answer["error_code"] == UnknownTopicOrPartitionError.errno
    finally:
        await admin.close()


def test_postgres_gives_each_test_an_empty_database_of_its_own(database: str) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        version = connection.execute("SHOW server_version_num").fetchone()
    assert tables == (0,)
    assert version is not None
    assert int(version[0]) >= 180000


def test_postgres_lets_nobody_in_without_the_password(database: str) -> None:
    user, rest = database.removeprefix("postgresql://").split("@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{user.split(':')[0]}:wrong@{rest}")


@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_mosquitto_hands_a_2_mb_message_to_a_subscriber(mosquitto_broker: Mosquitto, version: int) -> None:
    _round_trip(mosquitto_broker.port, version)


def test_embedded_broker_hands_a_2_mb_message_to_a_subscriber(iotcore_broker: Iotcore) -> None:
    _round_trip(iotcore_broker.port, mqtt.MQTTv311)


def test_embedded_broker_speaks_mqtt_5_on_its_second_port(iotcore_broker: Iotcore) -> None:
    assert iotcore_broker.port_v5 is not None
    _round_trip(iotcore_broker.port_v5, mqtt.MQTTv5)


def _round_trip(port: int, version: int) -> None:
    topic = f"t/{secrets.token_hex(4)}"
    got: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with mqtt_client(port, version) as reader, mqtt_client(port, version) as writer:
        subscribe(reader, topic, got)
        for body in (b"small", b"x" * 2_100_000, b"after"):
            publish(writer, topic, body)
        assert [len(got.get(timeout=LIMIT_S)) for _ in range(3)] == [5, 2_100_000, 5]
