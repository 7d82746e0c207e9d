"""What a model's key may be: a Bedrock API key, or an access key of AWS."""

from typing import Final

import msgspec

from gateway import Secret
from gateway.errors import ModelMisconfigured
from gateway.wire.json import decode_said

_NAMES: Final = {
    "id": ("access_key_id", "aws_access_key_id", "AccessKeyId"),
    "secret": ("secret_access_key", "aws_secret_access_key", "SecretAccessKey"),
    "token": ("session_token", "aws_session_token", "SessionToken"),
    "region": ("region", "aws_region", "Region"),
}
_HOW: Final = (
    "write the model's key as ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], as a JSON object with access_key_id, "
    "secret_access_key and session_token, or use a Bedrock API key"
)


class AccessKey(msgspec.Struct, frozen=True):
    """An access key of AWS, with which requests are signed."""

    id: str
    secret: Secret
    token: Secret = Secret("")
    region: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What nobody may see, each by itself: AWS quotes parts of a request it refuses."""
        return (self.secret, self.token)


def read_key(key: Secret) -> AccessKey | None:
    """The access key a model's key is; None for a Bedrock API key. Raises `ModelMisconfigured`."""
    text = key.reveal().strip()
    if text.startswith("{"):
        return _from_json(text)
    if ":" not in text:
        return None
    id, secret, token = (*text.split(":", 2), "")[:3]
    return _checked(id, secret, token, "")


def misconfigured(detail: str) -> ModelMisconfigured:
    """What a model is that cannot be called; the detail is for its operator."""
    error = ModelMisconfigured("The model is not configured properly.")
    error.detail = detail
    return error


def _from_json(text: str) -> AccessKey:
    try:
        said = decode_said(text.encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise misconfigured(f"its key begins like JSON and is none: {_HOW}") from error
    values = {}
    for field, names in _NAMES.items():
        value = next((said[name] for name in names if said.get(name)), "")
        if not isinstance(value, str):
            raise misconfigured(f"the {field} in its key is no text: {_HOW}")
        values[field] = value
    return _checked(values["id"], values["secret"], values["token"], values["region"])


def _checked(id: str, secret: str, token: str, region: str) -> AccessKey:
    id, secret, token = id.strip(), secret.strip(), token.strip()
    if not id or not secret:
        raise misconfigured(f"its key has no access key id or no secret: {_HOW}")
    return AccessKey(id, Secret(secret), Secret(token), region)
