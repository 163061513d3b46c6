"""Run rumqttd in this process until it is killed: `python -m deploy.stack.mqtt_broker CONFIG`.

A panic of its router leaves a process that accepts connections and serves none. There is no hook for it, but
Rust announces a panic on standard error: we read along, and end at the first one.
"""

import logging
import os
import signal
import sys
import threading

from iotcore import IotCoreBroker

PANIC = b"panicked at"
PANICKED = 70
FAILED = 1


def end_on_panic(source: int, copy: int) -> None:
    """Copy everything from one descriptor to another; end the process right after a line that announces a panic."""
    with os.fdopen(source, "rb") as lines:
        for line in lines:
            os.write(copy, line)
            if PANIC in line:
                os.write(copy, b"the broker's router is gone; ending\n")
                os._exit(PANICKED)


def main(config: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it keeps nothing: the default ends it at once
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    copy = os.dup(2)
    source, sink = os.pipe()
    os.dup2(sink, 2)
    threading.Thread(target=end_on_panic, args=(source, copy), name="panic-watch", daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs every packet as an error
    try:
        IotCoreBroker(config_path=config).run_forever()
    except Exception as error:  # noqa: BLE001 - whatever it is, its sentence must not end with the thread that copies
        os.write(copy, f"Error: {error}\n".encode())
        os._exit(FAILED)


if __name__ == "__main__":
    main(sys.argv[1])
