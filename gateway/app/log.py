"""The log: one line per event on stderr, `key=value`, and only keys that are known to be harmless."""

import logging
import sys
import time
from typing import Any

import msgspec

from gateway.secrets import redact

FIELDS = frozenset(
    {
        *("address", "attempt", "attempts", "code", "count", "detail", "distribution", "dropped", "error", "exchange"),
        *("generation", "hook", "model", "number", "outcome", "path", "pid", "plugin", "principal", "provider"),
        *("reason", "records", "route", "said", "seconds", "status", "surface", "url", "where"),
    }
)
"""The only fields that are written; the others' values never leave the process."""
_LONGEST = 500
_SILENT = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "litestar")
_ERRORS_ONLY = ("uvicorn.error", "asyncio")


def configure(level: str) -> None:
    """Send what the gateway logs to stderr, and nothing of the libraries but their errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    own = logging.getLogger("gateway")
    own.handlers, own.propagate = [handler], False
    own.setLevel(level.upper())
    for name in _ERRORS_ONLY:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.ERROR)
    for name in _SILENT:
        # They log URLs, headers and bodies.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class FieldLogger:
    """A logger bound to a plugin's name or one of our packages'; see `gateway.protocols.Logger`."""

    def __init__(self, name: str, **bound: object) -> None:
        self._logger = logging.getLogger(name)
        self._bound = bound

    def enabled(self, level: int) -> bool:
        """Whether anything of that level is written."""
        return self._logger.isEnabledFor(level)

    def log(self, level: int, event: str, **fields: object) -> None:
        """Log an event of that level."""
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, extra={"fields": {**self._bound, **fields}})

    def debug(self, event: str, **fields: object) -> None:
        """Log what only helps to find a fault."""
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what is as it should be."""
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody should look at some day."""
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what somebody should look at now."""
        self.log(logging.ERROR, event, **fields)


class LineFormatter(logging.Formatter):
    """One line per record, whatever is in it; secrets' shapes are masked."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        parts = [f"{at}.{int(record.msecs):03}Z", record.levelname.lower(), record.name, _value(record.getMessage())]
        fields: dict[str, Any] = getattr(record, "fields", {})
        parts += [f"{key}={_quoted(value)}" for key, value in fields.items() if key in FIELDS and value is not None]
        if unknown := sorted(fields.keys() - FIELDS):
            parts.append(f"withheld={','.join(unknown)}")
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(_exception(record.exc_info[1]))
        return " ".join(parts)


def _value(value: object) -> str:
    text = redact(str(value)).replace("\r", "\\r").replace("\n", "\\n").replace("\x1b", "\\x1b").strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _quoted(value: object) -> str:
    text = _value(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=')
    return text if plain and text else msgspec.json.encode(text).decode()


def _exception(error: BaseException) -> str:
    """Type, place and text of an exception: enough to find it, on the same line."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"exception={type(error).__name__} at={'>'.join(places[-6:])} error={_quoted(error)}"
