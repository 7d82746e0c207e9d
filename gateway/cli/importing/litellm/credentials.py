"""Credentials that are no single key in LiteLLM: each becomes the row's one key, or words that say how."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli.importing.litellm.environment import Environment, variable_in
from gateway.cli.importing.litellm.notes import Field
from gateway.cli.importing.litellm.places import region
from gateway.registry import InvalidValue, references
from gateway.secrets import Secret
from gateway.settings import limits

if TYPE_CHECKING:
    from gateway.cli.importing.litellm.params import Draft

_STORED: Final = "It is stored in the row's key, encrypted."
_ADC: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_AWS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_AZURE: Final = ("tenant_id", "client_id", "client_secret")
_TOKENS: Final = ("azure_ad_token", "azure_ad_token_provider", "azure_username", "azure_password")
_VERTEX: Final = ("vertex_credentials", "vertex_ai_credentials")

_NO_ACCESS_KEY: Final = (
    "Credentials are never taken from the surroundings: its key is looked up in AWS_BEARER_TOKEN_BEDROCK, which holds "
    "a Bedrock API key or ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]."
)
_NO_FILE: Final = (
    "Credentials are never taken from the surroundings: give it the credential file, "
    "`gateway models update NAME --api-key '{file=PATH}'`."
)


def read_credentials(fields: Mapping[str, Field], draft: "Draft") -> None:
    """Make one key of them; a row whose key somebody has to give it has none until then."""
    _aws(fields, draft)
    _azure(fields, draft)
    _vertex(fields, draft)


def surroundings(kind: str, fields: Mapping[str, Field], environment: Environment) -> str | None:
    """What somebody has to do where LiteLLM takes credentials from the machine; None where it does not."""
    if kind == "bedrock" and not any(name in fields for name in (*_AWS, "api_key")):
        return None if environment.set_here("AWS_BEARER_TOKEN_BEDROCK") else _NO_ACCESS_KEY
    if kind == "vertex_ai" and not any(name in fields for name in (*_VERTEX, "api_key")):
        return None if environment.set_here(_ADC) else _NO_FILE
    return None


def _aws(fields: Mapping[str, Field], draft: "Draft") -> None:
    """Both halves of an access key, and a session's token."""
    given = [fields[name] for name in _AWS if name in fields]
    variables = [name for field in given if (name := variable_in(field.text())) is not None]
    if given and "api_key" not in draft.columns:
        texts = [field.text() or "" for field in given]
        whole = all(name in fields for name in _AWS[:2]) and all(texts) and not variables
        key = ":".join(texts)
        if whole and (endpoint := fields.get("aws_bedrock_runtime_endpoint")) is not None:
            # An address of one's own does not say the region, which a signature names.
            where = region("", fields, draft.environment)
            endpoint.exact("It is asked there.")
            halves = {name.removeprefix("aws_"): fields[name].text() for name in _AWS if name in fields}
            key = json.dumps({**halves, "region": where})
        draft.columns["api_key"] = _checked(key, given) if whole else None
    for field in given:
        if variables:
            joined = ":".join(f"${name}" for name in variables)
            field.manual(
                f'A key is looked up as a whole: set BEDROCK_KEY="{joined}" where the gateway runs, then '
                "`gateway models update NAME --api-key '{env=BEDROCK_KEY}'`."
            )
        field.manual("An access key has two halves: give the model ACCESS_KEY_ID:SECRET_ACCESS_KEY.")
    for name, field in fields.items():
        if name == "aws_region_name":
            field.exact("It names the address.")
        elif name.startswith("aws_"):
            field.unsupported("Profiles and roles of AWS are not known here: give the model a key.")


def _azure(fields: Mapping[str, Field], draft: "Draft") -> None:
    """An application of Entra ID."""
    for name in _TOKENS:
        if name in fields:
            fields[name].manual("Tokens are made here: say tenant_id, client_id and client_secret of an application.")
    given = {name: fields[name] for name in _AZURE if name in fields}
    if draft.provider != "azure" or not given:
        return
    secret = given.get("client_secret")
    variable = variable_in(secret.text()) if secret is not None else None
    if len(given) < len(_AZURE):
        for field in given.values():
            field.manual("An application has all of tenant_id, client_id and client_secret.")
        draft.columns.setdefault("api_key", None)
    elif "api_key" in draft.columns:
        for field in given.values():
            field.unsupported("The model's api_key is used.")
    elif variable is not None:
        for field in given.values():
            field.manual(
                "A key is looked up as a whole. Write into gateway.toml, for all models without a key: [plugins.azure] "
                f'tenant_id = "...", client_id = "...", client_secret = {{env = "{variable}"}}; or put the three as '
                "JSON into a file, and `gateway models update NAME --api-key '{file=PATH}'`."
            )
        draft.columns["api_key"] = None
    else:
        said = {name: draft.environment.text(field) for name, field in given.items()}
        draft.columns["api_key"] = _checked(json.dumps(said), list(given.values())) if all(said.values()) else None


def _vertex(fields: Mapping[str, Field], draft: "Draft") -> None:
    """A credential file: its content, its path, or a variable with either."""
    if draft.provider != "vertex":
        return
    field = next((fields[name] for name in _VERTEX if name in fields), None)
    if field is None:
        if path := draft.environment.set_here(_ADC):
            draft.columns.setdefault("api_key", references.KeyReference("file", str(Path(path).absolute())))
        return
    if isinstance(field.value, dict):
        draft.columns["api_key"] = _checked(json.dumps(field.value), [field])
        return
    text, variable = field.text() or "", variable_in(field.text())
    if variable is not None:
        found = draft.environment.set_here(variable)
        if found.startswith("{"):
            field.exact(f"It stays a reference to the environment variable {variable}.")
            draft.columns["api_key"] = references.variable(variable)
            return
        if not found:
            field.manual(
                f"The variable {variable} is not set here. Does it hold the JSON itself: `gateway models update NAME "
                f"--api-key '{{env={variable}}}'`; a path: `--api-key '{{file=PATH}}'`."
            )
            draft.columns["api_key"] = None
            return
        field.approximate(f"The file that {variable} names now is read when the model is called.")
        text = found
    if text.startswith("{"):
        draft.columns["api_key"] = _checked(text, [field])
        return
    field.exact("The file is read when the model is called.")
    draft.columns["api_key"] = references.KeyReference("file", str(Path(text).absolute())) if text else None


def _checked(key: str, fields: Sequence[Field]) -> Secret | None:
    try:
        found = Secret(limits.api_key(key))
    except InvalidValue as error:
        for field in fields:
            field.manual(f"The key cannot be used: {error} The model is imported without one.")
        return None
    for field in fields:
        field.exact(_STORED)
    return found
