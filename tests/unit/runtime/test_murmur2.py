"""Our hash chooses the partitions that other clients choose."""

import random

import pytest
from aiokafka.partitioner import murmur2 as theirs

from services.runtime.murmur2 import murmur2


@pytest.mark.parametrize("length", range(40))
def test_each_length_hashes_as_the_client_has_it(length: int) -> None:
    made = random.Random(length)
    for _ in range(50):
        key = made.randbytes(length)
        assert murmur2(key) == theirs(key) % 2**32
