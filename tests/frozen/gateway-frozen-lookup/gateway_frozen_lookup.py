"""One model out of the settings, one caller, and words for a busy upstream. Of contract 1.0; never to be edited."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, SecretStr

from gateway import (
    Attempt,
    Authenticator,
    Credentials,
    ErrorMapper,
    Gateway,
    GatewayError,
    Model,
    ModelLookup,
    ModelNotFound,
    Principal,
    Route,
    Secret,
    Timeouts,
    Unauthenticated,
    UpstreamError,
    UpstreamFault,
    hookimpl,
)


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    token: SecretStr
    provider: str = "frozen"


class Lookup:
    def __init__(self, settings: Settings) -> None:
        self._model = Model(
            id="3f0c2a52-8f0e-4c66-9a7a-5ad5c3b0f001",
            name="frozen",
            model_id="frozen-1",
            base_url=settings.base_url,
            api_key=Secret("sk-frozen-credential"),
            provider=settings.provider,
            owner="acme",
            timeouts=Timeouts(first=30.0),
        )

    async def find(self, name: str, principal: Principal) -> Route | None:
        if name == "3f0c2a52-8f0e-4c66-9a7a-5ad5c3b0f00f":
            raise ModelNotFound("That model is gone.")
        return Route.of(self._model, name) if name in (self._model.id, self._model.name) else None


class Callers:
    def __init__(self, token: str) -> None:
        self._token = token

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        if credentials.token is None:
            return None
        if credentials.token.reveal() == "revoked":
            raise Unauthenticated("This token was revoked.")
        return Principal(id="frozen", owner="acme") if credentials.token.reveal() == self._token else None


class Busy(UpstreamFault):
    code = "frozen_busy"
    retryable = False


class Mapper:
    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        if isinstance(error, UpstreamError) and error.status == 429 and attempt is not None:
            return Busy(f"{attempt.model.name} is busy.", status=429, retry_after=7)
        return None


@hookimpl
def register_model_lookups(gateway: Gateway) -> Iterable[ModelLookup]:
    return [Lookup(gateway.settings)]


@hookimpl
def register_authenticators(gateway: Gateway) -> Iterable[Authenticator]:
    return [Callers(gateway.settings.token.get_secret_value())]


@hookimpl
def register_error_mappers() -> Iterable[ErrorMapper]:
    return [Mapper()]
