"""The whole hook contract. Hooks are plain functions, called once while a generation is assembled.

They return objects of `gateway.protocols`; those serve requests. An implementation names only the arguments it wants.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from gateway.protocols import (
        Authenticator,
        ErrorMapper,
        Gateway,
        Lifespan,
        Limiter,
        ModelLookup,
        Provider,
        RequestTransform,
        RoutingStrategy,
        StreamObserver,
        StreamTransform,
        UsageSink,
    )

PROJECT = "litestar_gateway"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# -- an exchange, in the order it passes ---


@hookspec
def register_authenticators(gateway: "Gateway") -> "Iterable[Authenticator] | None":
    """Tell who calls.

    Asked in order for every exchange; the first principal wins, a raised `Unauthenticated` refuses at once.

    .. versionadded:: 0.1
    """


@hookspec
def register_model_lookups(gateway: "Gateway") -> "Iterable[ModelLookup] | None":
    """Find the models behind a name.

    Asked in order for every exchange, plugins from elsewhere before the gateway's own; stops at the first route.

    .. versionadded:: 0.1
    """


@hookspec
def register_limiters(gateway: "Gateway") -> "Iterable[Limiter] | None":
    """Refuse what would be too much.

    All are asked, in order, once the route is known; the first refusal is the answer.

    .. versionadded:: 0.1
    """


@hookspec
def register_request_transforms(gateway: "Gateway") -> "Iterable[RequestTransform] | None":
    """Change requests before they are sent, or refuse them.

    Each gets what the one before it returned, once for every exchange.

    .. versionadded:: 0.1
    """


@hookspec
def register_strategies(gateway: "Gateway") -> "Iterable[RoutingStrategy] | None":
    """Order a route's models.

    A route names its strategy; two enabled plugins with a strategy of one name are refused.

    .. versionadded:: 0.1
    """


@hookspec
def register_providers(gateway: "Gateway") -> "Iterable[Provider] | None":
    """Speak an upstream's dialect.

    A model names its provider; two enabled plugins with a provider of one name are refused.

    .. versionadded:: 0.1
    """


@hookspec
def register_stream_transforms(gateway: "Gateway") -> "Iterable[StreamTransform] | None":
    """Change answers as they pass.

    Started for every attempt; each step gets what the one before it returned.

    .. versionadded:: 0.1
    """


@hookspec
def register_stream_observers(gateway: "Gateway") -> "Iterable[StreamObserver] | None":
    """Look at answers as they pass, without changing them.

    Started for every attempt; told what the client gets, after all stream transforms.

    .. versionadded:: 0.1
    """


@hookspec
def register_error_mappers(gateway: "Gateway") -> "Iterable[ErrorMapper] | None":
    """Turn an attempt's exception into the error a client gets.

    Asked in order for every failed attempt, plugins from elsewhere first; stops at the first answer.

    .. versionadded:: 0.1
    """


@hookspec
def register_usage_sinks(gateway: "Gateway") -> "Iterable[UsageSink] | None":
    """Receive what every attempt consumed, in batches, off the request's path.

    .. versionadded:: 0.1
    """


# -- the life of the process ---


@hookspec
def lifespan(gateway: "Gateway") -> "Lifespan | None":
    """Hold something open while the generation serves: an async context manager, entered before the first request.

    .. versionadded:: 0.1
    """


@hookspec
def on_app_init(app_config: Any, gateway: "Gateway") -> None:
    """Add routes or middleware to Litestar's `AppConfig` before the application is built.

    .. versionadded:: 0.1
    """


@hookspec
def register_commands(cli: "click.Group") -> None:
    """Add commands to the command line. The only hook called without a gateway.

    .. versionadded:: 0.1
    """
