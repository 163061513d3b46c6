"""JSON lines on standard output: an event name in snake case plus fields. Values of secret-looking keys are hidden."""

import logging
import re
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET = re.compile(r"password|secret|token|dsn|cookie|authorization|signature", re.IGNORECASE)


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in event:
        if key != "event" and _SECRET.search(key):
            event[key] = "[hidden]"
    return event


class _Calm(logging.Filter):
    """Lets each sentence of a library through once in ten seconds: aiokafka repeats its own 40 times a second while
    Kafka is away, and a full disk would be the next outage. Our own events are never held back.
    """

    def __init__(self, every_s: float = 10) -> None:
        super().__init__()
        self._every_s = every_s
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        sentence = (record.name, str(record.msg))  # without its arguments: as many as there are places in the source
        if record.created - self._told.get(sentence, 0) < self._every_s:
            return False
        self._told[sentence] = record.created
        return True


def configure(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process, those of libraries too, to `stream` (standard output) as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _redact,
    ]
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(_Calm())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiokafka", "httpx", "httpcore", "uvicorn", "uvicorn.access", "yoyo"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get_logger() -> structlog.stdlib.BoundLogger:
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger())
