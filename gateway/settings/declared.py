"""Models and routes that stand in the settings: `[models.NAME]` and `[routes.NAME]`.

They are the operator's, served beside those of the registry's tables, and changed in the file alone.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from gateway.settings import limits
from gateway.settings.problems import suggest
from gateway.terms import Condition, Hedge, RouteOptions

_TABLE = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())
_MOST_TARGETS = 100


def _checked_name(name: str) -> str:
    limits.required("name", name)
    return name


Name: TypeAlias = Annotated[str, AfterValidator(_checked_name)]
"""What a model or route is called."""


class DeclaredQuirks(BaseModel):
    """How an upstream differs from OpenAI; what each means stands at `gateway.Quirks`."""

    model_config = _TABLE

    omit: tuple[str, ...] = ()
    rename: Mapping[str, str] = Field(default_factory=dict)
    roles: Mapping[str, str] = Field(default_factory=dict)
    response_format: Literal["schema", "json", "none"] | None = None
    keep: tuple[str, ...] = ()


class DeclaredTimeouts(BaseModel):
    """Seconds; None = as for every model."""

    model_config = _TABLE

    connect: float | None = None
    first: float | None = None
    idle: float | None = None
    total: float | None = None


class DeclaredPrices(BaseModel):
    """US dollars for a million tokens; None = as the catalog knows."""

    model_config = _TABLE

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


class DeclaredModel(BaseModel):
    """One model, under its name; the keys are those of `gateway models add`."""

    model_config = _TABLE

    model_id: str
    """The model's name at the upstream."""
    base_url: str
    """What /chat/completions is appended to."""
    api_key: SecretStr = SecretStr("")
    """Best written as `{ env = "NAME" }` or `{ file = "PATH" }`."""
    provider: str = "openai"
    """The provider that speaks the upstream's dialect."""
    sharing: Literal["private", "public"] = "private"
    """`private`: for keys without an owner; `public`: for everybody."""
    description: str = ""
    """What people should know about it."""
    context_length: int | None = Field(default=None, ge=1, lt=2**31)
    """Tokens of prompt and answer together."""
    enabled: bool = True
    """Whether it may be used."""
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    """Request fields sent when the client did not give them."""
    quirks: DeclaredQuirks = DeclaredQuirks()
    """How the upstream differs from OpenAI."""
    timeouts: DeclaredTimeouts = DeclaredTimeouts()
    """Seconds: `connect`, `first`, `idle`, `total`."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Headers sent with each request."""
    prices: DeclaredPrices = DeclaredPrices()
    """US dollars for a million tokens: `input`, `output`, `cache_read`, `cache_write`."""
    capabilities: tuple[str, ...] = ()
    """What it can do."""

    @field_validator("model_id", "provider")
    @classmethod
    def _one_line(cls, value: str, info: ValidationInfo) -> str:
        return limits.required(str(info.field_name), value)

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return limits.base_url(value)

    @field_validator("api_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        return SecretStr(limits.api_key(value.get_secret_value()))

    @field_validator("description")
    @classmethod
    def _text(cls, value: str) -> str:
        return limits.check_text("description", value)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        limits.structured("headers", {name: text.get_secret_value() for name, text in value.items()})
        return value


class DeclaredTarget(BaseModel):
    """One target of a route: a table, or the model's name alone."""

    model_config = _TABLE

    model: str
    """A model of the settings by name, one of the registry by id."""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Its share among targets of one priority; 0 = only when the others fail."""
    priority: int = Field(default=0, ge=0, le=1000)
    """0 is tried first, a higher one only when all of the lower are excluded or failed."""
    when: tuple[str, ...] = ()
    """Conditions that have to hold together."""

    @field_validator("model")
    @classmethod
    def _there(cls, value: str, info: ValidationInfo) -> str:
        """One of `[models]`, which may be wrong itself, or an id."""
        if info.context is None or (isinstance(models := info.context.get("models", {}), Mapping) and value in models):
            return value
        try:
            limits.canonical_uuid(value)
        except limits.InvalidValue as error:
            hint = suggest(value, models if isinstance(models, Mapping) else ())
            raise ValueError(
                f"there is no [models.{value[:100]}]{hint}; a model of the registry is named by its id"
            ) from error
        return value

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("when")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Condition.read(text)) for text in value)


class DeclaredHedge(BaseModel):
    """When a second target is asked because the first is slow to begin."""

    model_config = _TABLE

    percentile: float = Field(default=95.0, gt=0, lt=100)
    """Of the model's times to first content."""
    budget: float = Field(default=0.05, gt=0, le=1)
    """The share of requests that may be asked twice."""


class DeclaredRoute(BaseModel):
    """One route, under its name; the keys are those of `gateway routes add`."""

    model_config = _TABLE

    targets: tuple[DeclaredTarget, ...]
    """Its models, in their order."""
    strategy: str = "ordered"
    """What orders them."""
    sharing: Literal["private", "public"] = "private"
    """`private`: for keys without an owner; `public`: for everybody. It does not share the models."""
    affinity: str = ""
    """What `sticky` keeps together: `key`, `user` or `header:NAME`."""
    hedge: DeclaredHedge | None = None
    """None = never ask twice."""
    enabled: bool = True
    """Whether it may be used."""

    @field_validator("targets", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"model": one} if isinstance(one, str) else one for one in value]

    @field_validator("targets")
    @classmethod
    def _some_and_once(cls, value: tuple[DeclaredTarget, ...]) -> tuple[DeclaredTarget, ...]:
        # Here and not by the field's own limits, which count those that are right: what is wrong would be told twice.
        if not 0 < len(value) <= _MOST_TARGETS:
            raise ValueError(f"names {len(value) or 'no'} models; a route has from 1 to {_MOST_TARGETS}")
        names = [target.model for target in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names {twice[0]} twice")
        return value

    @field_validator("affinity")
    @classmethod
    def _known(cls, value: str) -> str:
        return RouteOptions(affinity=value).checked().affinity

    @property
    def options(self) -> RouteOptions:
        """What it asks for besides its targets."""
        hedge = Hedge(self.hedge.percentile, self.hedge.budget) if self.hedge else None
        return RouteOptions(affinity=self.affinity, hedge=hedge)
