"""How a static member leaves its group for good: aiokafka leaves that to the session timeout.

Without it the partitions of a member that was stopped wait 10 s for nobody, and a fire among them.
"""

import asyncio

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

from services.runtime.logging import get_logger

LIMIT_S = 3.0
TRY_AGAIN_S = 0.05
_LEAVE_GROUP = 13


class _Response(Response):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = _LEAVE_GROUP
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "members",
            Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")), ("error_code", Int16)),
        ),
    )


class _RequestStruct(RequestStruct):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = _LEAVE_GROUP
    API_VERSION = 3
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("members", Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")))),
    )


class _LeaveGroup(Request[_RequestStruct]):  # type: ignore[misc] # aiokafka ships no types
    """LeaveGroup v3 (Kafka 2.4), the first that names the instance; aiokafka knows v0 and v1."""

    API_KEY = _LEAVE_GROUP

    def __init__(self, group: str, member_id: str, instance: str) -> None:
        self._group = group
        self._member = (member_id, instance)

    def build(self, request_struct_class: type[_RequestStruct]) -> _RequestStruct:
        return request_struct_class(self._group, [self._member])


async def leave_group(bootstrap: str, group: str, member_id: str, instance: str) -> bool:
    """Have `group` give the partitions of a static member that has ended to the others at once.

    `member_id` as the group gave it: who has joined under the name of `instance` since then stays. Returns False,
    after 3 s at most, when Kafka does not do it; then the others wait for the session timeout.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap, client_id=instance)
    try:
        async with asyncio.timeout(LIMIT_S):
            await client.bootstrap()
            await _leave(client, _LeaveGroup(group, member_id, instance), group)
    except (KafkaError, OSError, TimeoutError, NotImplementedError) as error:  # the last: a Kafka older than 2.4
        get_logger().warning("group_not_left", group=group, error=type(error).__name__)
        return False
    finally:
        await client.close()
    return True


async def _leave(client: AIOKafkaClient, request: _LeaveGroup, group: str) -> None:
    node = await client.coordinator_lookup(CoordinationType.GROUP, group)
    while not await client.ready(node, group=ConnectionGroup.COORDINATION):  # noqa: ASYNC110 - the client tells nobody
        await asyncio.sleep(TRY_AGAIN_S)
    answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
    for code in (answer.error_code, *(code for _, _, code in answer.members)):
        if code:
            raise for_code(code)
