"""Kafka as in production, on loopback: three brokers in three racks, three copies, two of them for a confirmation."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.stack.kafka import Kafka, Node, new_cluster_id
from deploy.stack.ports import free_ports

COPIES = 3
HEAP_MB = 256
NEEDED_MB = 2500
"""With less memory to be had nobody starts three brokers beside whatever else is tested."""


class ThreeBrokers:
    """In the place of one `Kafka` where only its address is asked for."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(2 * COPIES)
        nodes = [Node(n + 1, ports[2 * n], ports[2 * n + 1], f"rack-{'abc'[n]}") for n in range(COPIES)]
        cluster_id = new_cluster_id()
        self.brokers = [
            Kafka(
                folder / f"kafka-{node.number}",
                port=node.port,
                controller_port=node.controller_port,
                heap_mb=HEAP_MB,
                space_floor_mb=1,
                number=node.number,
                nodes=nodes,
                cluster_id=cluster_id,
            )
            for node in nodes
        ]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self, *brokers: Kafka) -> None:
        """Start these, or all, side by side: none serves before most of them are there."""
        wanted = brokers or self.brokers
        with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            list(pool.map(lambda broker: broker.start(), wanted))

    def stop(self) -> None:
        for broker in self.brokers:
            broker.kill()


@contextmanager
def three_brokers(folder: Path) -> Iterator[ThreeBrokers]:
    """Yield three running brokers; skip where memory is short."""
    if psutil.virtual_memory().available < NEEDED_MB * 1024 * 1024:
        pytest.skip(f"three brokers need {NEEDED_MB} MB of memory")
    cluster = ThreeBrokers(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
