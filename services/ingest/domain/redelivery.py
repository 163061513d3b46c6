"""When a broker's mark on a delivery (MQTT's DUP) says that it was delivered before."""


class Redelivery:
    """Of one connection: what a broker delivers again comes first, in a session that it kept (MQTT 4.4, 4.6).

    A mark that comes otherwise is the publisher's. A broker must not pass that on (MQTT-3.3.1-3), and rumqttd does: the
    device sent again what we may never have had, a fire among it.
    """

    def __init__(self) -> None:
        self._is_over = False

    def is_marked(self, mark: bool, mid: int, session_kept: bool) -> bool:
        """Say of the next delivery, as the broker numbers and marks it, whether the mark is the broker's."""
        if not mark and mid:  # of QoS 0 nothing is delivered again, and it may come at any time
            self._is_over = True
        return mark and session_kept and not self._is_over
