"""Where a deployment is asked: what LiteLLM makes of resources, versions, regions and projects, as one base URL."""

import re
from collections.abc import Mapping
from typing import Final

from gateway.cli.importing.litellm.environment import Environment
from gateway.cli.importing.litellm.notes import Field

_TODAY: Final = ("v1", "latest", "preview")
"""What says to LiteLLM that Azure's API without versions is meant."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]*")
_LOCATION: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_IN_NAME: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)/(.+)")
_FOUNDRY: Final = (".services.ai.azure.com", ".cognitiveservices.azure.com", ".openai.azure.com")
_DEFAULT_LOCATION: Final = "us-central1"
ADDRESSES: Final = ("api_base", "base_url", "aws_bedrock_runtime_endpoint")


def address(kind: str, name: str, fields: Mapping[str, Field], environment: Environment, *, is_native: bool) -> str:
    """The base URL that the configuration says; empty where it says none."""
    field = _first(fields, *ADDRESSES)
    given = (environment.text(field) or "") if field is not None else ""
    if kind == "azure" and field is not None:
        return _azure(given, field, fields.get("api_version"), environment, is_native=is_native)
    if kind == "azure_ai" and field is not None:
        return _foundry(given, fields.get("api_version"), environment)
    if kind == "vertex_ai" and not given:
        return _vertex(fields, environment)
    if kind == "bedrock" and not given:
        return _bedrock(name, fields, environment)
    return f"{given.rstrip('/')}/v1" if kind == "azure_claude" and not given.rstrip("/").endswith("/v1") else given


def kind(prefix: str, name: str, fields: Mapping[str, Field], environment: Environment) -> str:
    """What a prefix means where it means several things."""
    if prefix == "azure_text":
        return "azure"
    if prefix == "vertex_ai_beta":
        return "vertex_ai"
    if prefix != "azure_ai":
        return prefix
    if name.startswith("claude"):
        return "azure_claude"
    field = _first(fields, "api_base", "base_url")
    host = environment.peek(field).partition("://")[2].partition("/")[0] if field is not None else ""
    return "azure_ai" if host.endswith(_FOUNDRY) else "azure_serverless"


def upstream_name(kind: str, name: str, fields: Mapping[str, Field]) -> str:
    """The model's name there: LiteLLM's own ways to say how it is called upon are no part of it."""
    ways = {
        "bedrock": ("converse/", "converse_like/", "invoke/"),
        "azure": ("responses/", "gpt5_series/", "o_series/"),
        "openai": ("responses/", "chat/completions/"),
        "vertex_ai": ("gemini/",) if name.removeprefix("gemini/").isdigit() else (),
    }
    for way in ways.get(kind, ()):
        name = name.removeprefix(way)
    if kind == "vertex_ai" and name.isdigit():
        return f"endpoints/{name}"
    if kind == "bedrock":
        own = fields.get("model_id")
        region = _IN_NAME.fullmatch(name)
        return (own.text() if own else None) or (region[2] if region else name)
    return name


def is_asked_on_vertex(name: str) -> bool:
    """Whether the provider `vertex` speaks to it: Google's own models, Claude, and tuned ones."""
    return name.startswith(("gemini", "claude", "google/", "anthropic/", "endpoints/", "publishers/"))


def region(name: str, fields: Mapping[str, Field], environment: Environment) -> str:
    """AWS's region of a deployment; empty where nobody says one."""
    field = fields.get("aws_region_name")
    if field is not None:
        return environment.text(field) or ""
    found = _IN_NAME.fullmatch(name.removeprefix("converse/").removeprefix("invoke/"))
    return found[1] if found else environment.set_here("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")


def _azure(given: str, field: Field, version: Field | None, environment: Environment, *, is_native: bool) -> str:
    """The API without versions, or with the one that is said; both exactly as LiteLLM asks them."""
    if not given:
        return ""
    said = (environment.text(version) or "") if version is not None else ""
    base, _, query = given.partition("?")
    base = base.rstrip("/").removesuffix("/chat/completions")
    if is_native and ("/deployments/" in base or "api-version=" in query):
        if version is not None:
            version.exact("The address says it itself." if query else "It is part of the base URL.")
        return f"{base}?{query or f'api-version={said}'}" if query or said else base
    root = base.partition("/openai")[0].rstrip("/")
    if is_native and said and said not in _TODAY:
        assert version is not None
        version.exact("It is part of the base URL: the deployment is asked with this version.")
        return f"{root}?api-version={said}"
    if version is None:
        field.approximate(
            "It is asked at its API without versions, /openai/v1; LiteLLM takes AZURE_API_VERSION, or a version of its "
            "own. `?api-version=VERSION` at the base URL's end says one."
        )
    elif said in _TODAY:
        version.exact("The API without versions is asked: /openai/v1.")
    else:
        version.approximate("It is not said: the API without versions is asked, /openai/v1.")
    return f"{root}/openai/v1"


def _foundry(given: str, version: Field | None, environment: Environment) -> str:
    """All models of a resource, at one address."""
    base, _, query = given.partition("?")
    said = (environment.text(version) or "") if version is not None else ""
    if not base:
        return ""
    if version is not None:
        version.exact("It is part of the base URL.")
    base = base.rstrip("/").removesuffix("/chat/completions")
    base = base if base.endswith(("/models", "/v1")) else f"{base}/models"
    query = query or (f"api-version={said}" if said else "")
    return f"{base}?{query}" if query else base


def _vertex(fields: Mapping[str, Field], environment: Environment) -> str:
    """Project and location as parts of the address; what is not said is the credential's project, and one default."""
    location, project = (
        _first(fields, f"vertex_{name}", f"vertex_ai_{name}") for name in ("location", "project")
    )  # fmt: skip
    where = _part(location, environment, _LOCATION) if location else None
    whose = _part(project, environment, _NAME) if project else None
    if (location and where is None) or (project and whose is None):
        return ""
    where = where or environment.set_here("VERTEXAI_LOCATION", "VERTEX_LOCATION") or _DEFAULT_LOCATION
    whose = whose or environment.set_here("VERTEXAI_PROJECT")
    hosts = {"global": "aiplatform", "us": "aiplatform.us.rep", "eu": "aiplatform.eu.rep"}
    host = f"https://{hosts.get(where, f'{where}-aiplatform')}.googleapis.com"
    return f"{host}/v1/projects/{whose}/locations/{where}" if whose else host


def _bedrock(name: str, fields: Mapping[str, Field], environment: Environment) -> str:
    where = region(name, fields, environment)
    if where and not _LOCATION.fullmatch(where):
        return ""
    return f"https://bedrock-runtime.{where}.amazonaws.com" if where else ""


def _part(field: Field, environment: Environment, form: re.Pattern[str]) -> str | None:
    text = environment.text(field)
    if text is None or not form.fullmatch(text):
        field.unsupported("It is no name that an address can have.")
        return None
    field.exact("It is part of the base URL.")
    return text


def _first(fields: Mapping[str, Field], *names: str) -> Field | None:
    return next((fields[name] for name in names if name in fields), None)
