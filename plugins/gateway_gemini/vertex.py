"""The provider `vertex`: Gemini and Claude on Google's cloud, with Google's credentials."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from gateway import ChatRequest, Gateway, Model, Provider, ProviderClient, UpstreamDialect, UpstreamError
from gateway.domain import Attempt
from gateway.errors import Headers
from gateway.protocols import ByteUpstream, Egress
from gateway.providers.headers import merged
from gateway.providers.sending import send
from gateway.secrets import Secret
from gateway.wire.fields import asked_model, bent, encoded, unsent
from gateway.wire.json import encode_value
from gateway.wire.messages import Messages, request_fields
from gateway_gemini.credentials import AccessToken, ApiKey, credential_of
from gateway_gemini.dialect import GEMINI
from gateway_gemini.failure import told_apart
from gateway_gemini.places import DEFAULT, asked, url
from gateway_gemini.provider import USER_AGENT

_ANTHROPIC_VERSION: Final = encode_value("vertex-2023-10-16")


class VertexProvider:
    """Models of `aiplatform.googleapis.com`; the model's key is a credential file, a token or a key."""

    name = "vertex"
    base_url = DEFAULT
    """Where models without a base URL of their own are asked."""
    _egress: Egress

    def __init__(self, token_origins: Sequence[str] = ()) -> None:
        self._token_origins = token_origins

    def bind(self, gateway: Gateway) -> None:
        """Called once, when the provider is registered."""
        self._egress = gateway.egress

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential; raises `ModelMisconfigured` for one that cannot be used."""
        return _Client(self._egress, model.api_key, self._token_origins)


class TokenSource(Protocol):
    """Where access tokens come from; see `gateway_gemini.tokens`."""

    async def get(self, model: Model) -> Secret: ...
    def forget(self, token: Secret) -> None: ...


class _Client:
    """Calls with one credential, and goes for another token once where its own is refused."""

    def __init__(self, egress: Egress, key: Secret, token_origins: Sequence[str]) -> None:
        self._egress = egress
        credential = credential_of(key, token_origins=token_origins)
        self._fixed: ApiKey | AccessToken | None = None
        self._tokens: TokenSource | None = None
        self._project: str | None = None
        if isinstance(credential, ApiKey | AccessToken):
            self._fixed = credential
            return
        # Here and not above: PyJWT costs a start that needs it a fraction of a second, and others nothing.
        from gateway_gemini.tokens import GoogleTokens

        self._tokens, self._project = GoogleTokens(credential, egress), credential.project

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        model = attempt.model
        who = asked(asked_model(request, model))
        dialect = CLAUDE if who.publisher == "anthropic" else GEMINI
        body = dialect.write_request(request, model)
        where = url(model.base_url, self._project, who, stream=request.stream)
        theirs = request.headers if request.dialect == dialect.name else ()
        for last in (False, True):
            token = await self._token(attempt)
            headers = merged((*_HEADERS, *theirs, *self._proof(token)), model)
            try:
                return ByteUpstream(dialect, await send(self._egress, "POST", where, headers, body, attempt))
            except UpstreamError as error:
                if token is None or self._tokens is None or error.status != 401 or last:
                    raise told_apart(error) from error
                self._tokens.forget(token)
        raise AssertionError("the second answer is the last")

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""

    async def _token(self, attempt: Attempt) -> Secret | None:
        """A token where one is needed; for a request that is only looked at, something in its place."""
        if self._tokens is None:
            return None
        return Secret("token") if attempt.dry else await self._tokens.get(attempt.model)

    def _proof(self, token: Secret | None) -> Headers:
        if isinstance(self._fixed, ApiKey):
            key = self._fixed.key.reveal()
            return (("x-goog-api-key", key),) if key else ()
        token = self._fixed.token if self._fixed is not None else token
        assert token is not None
        return (("authorization", f"Bearer {token.reveal()}"),)


_HEADERS: Final[Headers] = (
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", USER_AGENT),
)


class Claude(Messages):
    """Messages as Vertex AI takes them: the model is in the address, the version in the body."""

    __slots__ = ()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        fields = request_fields(request, model)
        fields.pop("model", None)
        fields.setdefault("anthropic_version", _ANTHROPIC_VERSION)
        request.lose(unsent(request, model, fields, model.quirks))
        return encoded(bent(fields, model.quirks))


CLAUDE: Final[UpstreamDialect] = Claude()

if TYPE_CHECKING:
    _: type[Provider] = VertexProvider
