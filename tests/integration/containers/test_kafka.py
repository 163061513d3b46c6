"""The Kafka image serves the client that our services use."""

import secrets

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.containers import KafkaContainer

pytestmark = pytest.mark.container

RECORDS = [(f"unit-{n % 5}".encode(), f"signal {n}".encode()) for n in range(500)]


async def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, records: list[tuple[bytes, bytes]], **options: object) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, **options)
    await producer.start()
    try:
        for sent in [await producer.send(topic, key=key, value=value) for key, value in records]:
            await sent
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str, count: int) -> list[tuple[bytes, bytes]]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"{topic}-readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        return [(record.key, record.value) for _ in range(count) if (record := await consumer.getone())]
    finally:
        await consumer.stop()


@pytest.mark.timeout(180)
async def test_what_was_acknowledged_by_all_replicas_is_read_in_each_keys_order(
    kafka_container: KafkaContainer,
) -> None:
    topic = f"test.{secrets.token_hex(6)}"
    await create_topic(kafka_container.bootstrap, topic, partitions=4)
    await produce(kafka_container.bootstrap, topic, RECORDS, enable_idempotence=True)

    read = await consume(kafka_container.bootstrap, topic, len(RECORDS))

    for key in {key for key, _ in RECORDS}:
        assert [value for k, value in read if k == key] == [value for k, value in RECORDS if k == key]


@pytest.mark.timeout(180)
async def test_a_misspelt_topic_fails_instead_of_appearing(kafka_container: KafkaContainer) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka_container.bootstrap, request_timeout_ms=2000)
    await producer.start()
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.partitions_for("test.misspelt")
    finally:
        await producer.stop()


def test_operators_find_the_tools_in_the_container(kafka_container: KafkaContainer) -> None:
    listed = kafka_container.container.exec(["kafka-topics", "--list"])
    assert listed.exit_code == 0, listed.output.decode()
    described = kafka_container.container.exec(["kafka-consumer-groups", "--list"])
    assert described.exit_code == 0, described.output.decode()
