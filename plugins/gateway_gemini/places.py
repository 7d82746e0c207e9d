"""Where on Vertex AI a model is asked."""

import re
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from gateway_gemini.provider import streaming

DEFAULT: Final = "https://aiplatform.googleapis.com"
_REGION: Final = re.compile(r"([a-z0-9-]+)-aiplatform\.googleapis\.com|aiplatform\.([a-z]+)\.rep\.googleapis\.com")
_VERSION: Final = re.compile(r"/v\d[a-z0-9]*(/|$)")
_PUBLISHERS: Final = "/publishers"
_MODEL: Final = re.compile(r"(?:publishers/)?(?P<publisher>google|anthropic)/(?:models/)?(?P<name>.+)")
_ENDPOINT: Final = "endpoints/"


class Asked(NamedTuple):
    """A model as Vertex AI knows it; a tuned model's endpoint has no publisher."""

    publisher: str
    name: str


def asked(model: str) -> Asked:
    """Whose model it is. Names may say it; `claude-...` is Anthropic's."""
    if model.startswith(_ENDPOINT):
        return Asked("", model.removeprefix(_ENDPOINT))
    match = _MODEL.fullmatch(model)
    if match is not None:
        return Asked(match["publisher"], match["name"])
    return Asked("anthropic" if model.startswith("claude") else "google", model)


def url(base_url: str, project: str | None, model: Asked, *, stream: bool) -> str:
    """The address of a call. A base URL without project and location gets the credential's and its host's."""
    base, _, query = (base_url or DEFAULT).partition("?")
    base = base.rstrip("/").partition(_PUBLISHERS)[0]
    if not _VERSION.search(urlsplit(base).path + "/"):
        base = f"{base}/v1"
    if "/projects/" not in base and project is not None:
        base = f"{base}/projects/{quote(project, safe=':')}/locations/{_location(base)}"
    name = quote(model.name, safe="@")
    place = f"{_PUBLISHERS}/{model.publisher}/models/{name}" if model.publisher else f"/{_ENDPOINT}{name}"
    if model.publisher == "anthropic":
        return f"{base}{place}:{'streamRawPredict' if stream else 'rawPredict'}{'?' if query else ''}{query}"
    return f"{base}{place}:{streaming(query)}"


def _location(base: str) -> str:
    match = _REGION.fullmatch(urlsplit(base).hostname or "")
    return (match[1] or match[2]) if match is not None else "global"
