"""The client of the server that counts; its library is imported only where such a server is configured."""

from gateway.protocols import Logger
from gateway_limits.settings import Settings
from gateway_limits.shared import SharedCounters

_INSTALL = "plugins.limits.url needs the library redis: pip install 'litestar-gateway[redis]'"
_CONNECTIONS = 64


def shared_counters(settings: Settings, log: Logger) -> SharedCounters:
    """Counters on the configured server; nothing is dialled yet. Raises `RuntimeError` with what to do."""
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise RuntimeError(_INSTALL) from error
    assert settings.url is not None
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=_CONNECTIONS,
        timeout=None,  # who waits too long is told by `patience`
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=settings.patience,
    )
    return SharedCounters(Redis.from_pool(pool), settings.patience, log)
