"""One place where an exception becomes the gateway's error, and an error the client's bytes."""

from collections.abc import Iterable

from gateway.domain import Attempt
from gateway.errors import GatewayError, Headers, PluginError, UpstreamTimeout, UpstreamUnreachable
from gateway.pipeline.calls import Calls
from gateway.pipeline.hiding import hidden
from gateway.protocols import ClientDialect
from gateway.runtime import Generation
from gateway.secrets import Secret


def map_error(generation: Generation, error: Exception, attempt: Attempt | None, calls: Calls) -> GatewayError:
    """What the first mapper says, else the built-in rule; total, whatever a mapper does."""
    for mapper in generation.error_mappers:
        if calls.faults.quarantined(mapper.plugin, "error_mappers"):
            continue
        try:
            mapped: object = mapper.object.map(error, attempt)
        except Exception as fault:  # noqa: BLE001 - a named border: mappers are plugins, and must not hide the error
            calls.fault(mapper.plugin, "error_mappers", fault)
            continue
        if isinstance(mapped, GatewayError):
            return mapped
        if mapped is not None:
            calls.fault(mapper.plugin, "error_mappers", TypeError(f"map returned {type(mapped).__name__}"))
    return _built_in(error, attempt)


def _built_in(error: Exception, attempt: Attempt | None) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("Request timed out.")
    if isinstance(error, OSError):
        return UpstreamUnreachable("Connection error.")
    provider = attempt.model.provider if attempt else ""
    return PluginError(f'The provider "{provider}" failed.', plugin=provider)


def render(dialect: ClientDialect, error: GatewayError, known: Iterable[Secret]) -> tuple[int, Headers, bytes]:
    """The error as the client's dialect writes it, without any secret the upstream may have quoted."""
    status, headers, body = dialect.error(error)
    return status, headers, hidden(body, known)
