"""What our processes write on standard error: one event a line, as JSON for machines or in colour for a person at a terminal."""

import logging
import sys
import traceback

import structlog

from dispatch.settings import Settings


def without_its_words(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of an exception its kind and where it happened. Not what it says: that may quote a name or an address (P14b)."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = f"{type(error).__qualname__}\n{''.join(traceback.format_tb(error.__traceback__))}"
    return event


SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    without_its_words,
]


def configure(settings: Settings, process: str) -> None:
    """Set up logging for this process. Lines of libraries take the same form, from warnings on."""
    level = getattr(logging, settings.log_level.upper())
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*SHARED, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=SHARED))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
