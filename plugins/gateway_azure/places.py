"""Where a request to Azure goes: the v1 API, or one deployment with an api-version."""

from urllib.parse import quote


def is_v1(base_url: str) -> bool:
    """Whether a base URL means the API without versions, which has everything OpenAI's has."""
    base, _, query = base_url.partition("?")
    base = base.rstrip("/")
    return base.endswith("/v1") or not ("api-version=" in query or base.endswith("/models") or "/deployments/" in base)


def url(base_url: str, path: str, deployment: str) -> str:
    """The address of a path such as `/chat/completions`; a query of the base URL stays one.

    A resource alone is enough: `https://NAME.openai.azure.com` is asked under `/openai/v1`, and with
    `?api-version=...` under `/openai/deployments/DEPLOYMENT`.
    """
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    if not (base.endswith(("/v1", "/models")) or "/deployments/" in base):
        base = base if base.endswith("/openai") else f"{base}/openai"
        base += "/v1" if is_v1(base_url) else f"/deployments/{quote(deployment, safe='')}"
    return f"{base}{path}{mark}{query}"
