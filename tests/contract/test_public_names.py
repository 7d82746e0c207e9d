"""What others may rely on: the public names, and that they cost no heavy import."""

import json
import subprocess
import sys

import pytest

import gateway

PUBLIC = [
    "API_VERSION",
    "AsyncStep",
    "Attempt",
    "Authenticator",
    "ByteUpstream",
    "ChatProvider",
    "ChatRequest",
    "Citation",
    "ClientDialect",
    "Condition",
    "Credentials",
    "DialectProvider",
    "End",
    "ErrorMapper",
    "Event",
    "EventProvider",
    "EventResponse",
    "EventUpstream",
    "Exchange",
    "Failure",
    "Finish",
    "Gateway",
    "GatewayError",
    "HealthView",
    "Hedge",
    "InvalidRequest",
    "Limiter",
    "Logger",
    "LookupFailed",
    "MediaPart",
    "Message",
    "Model",
    "ModelLookup",
    "ModelNotFound",
    "OBSERVED",
    "Opaque",
    "OpaquePart",
    "OpaqueTool",
    "Outcome",
    "Part",
    "Prices",
    "Principal",
    "Prompt",
    "Provider",
    "ProviderClient",
    "Quirks",
    "RateLimited",
    "Reasoning",
    "ReasoningPart",
    "Refusal",
    "RequestTransform",
    "ResponseFormat",
    "Route",
    "RouteOptions",
    "RoutingStrategy",
    "Secret",
    "Start",
    "Step",
    "StreamObserver",
    "StreamTransform",
    "Terms",
    "Text",
    "TextPart",
    "Thinking",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallPart",
    "ToolChoice",
    "ToolResultPart",
    "Unauthenticated",
    "Upstream",
    "UpstreamCall",
    "UpstreamDialect",
    "UpstreamError",
    "UpstreamFault",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "Usage",
    "UsageRecord",
    "UsageSink",
    "__version__",
    "hookimpl",
]
HEAVY = ("litestar", "sqlalchemy", "openai", "pydantic", "httpx2", "click", "alembic", "cryptography", "uvicorn")


def test_the_public_names_are_frozen() -> None:
    """A name that goes breaks plugins; a new one is added here on purpose."""
    assert sorted(gateway.__all__) == sorted(PUBLIC)


def test_the_public_names_exist() -> None:
    assert isinstance(gateway.__all__, tuple)
    assert [name for name in gateway.__all__ if not hasattr(gateway, name)] == []


def imported_by(*arguments: str) -> set[str]:
    """The top-level modules a fresh interpreter has imported after running that."""
    code = "import sys, json, atexit; atexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", code + arguments[0], *arguments[1:]], capture_output=True, text=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def test_importing_the_public_door_imports_nothing_heavy() -> None:
    modules = imported_by("import gateway")
    assert "gateway" in modules
    assert modules.isdisjoint(HEAVY)


def test_taking_every_public_name_imports_nothing_heavy_either() -> None:
    modules = imported_by("from gateway import *")
    assert "pluggy" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_imports_neither_the_server_nor_the_database_nor_a_provider(arguments: tuple[str, ...]) -> None:
    modules = imported_by("import sys; from gateway.cli import main; main(sys.argv[1:])", *arguments)
    assert "click" in modules
    assert modules.isdisjoint({"rich", "litestar", "sqlalchemy", "openai", "pydantic", "httpx2", "uvicorn", "alembic"})
    assert not any(name.startswith("gateway_") for name in modules)
