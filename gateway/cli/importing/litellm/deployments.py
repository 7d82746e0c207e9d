"""The entries of `model_list`: each one model of ours, or the reason why it is none."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.cli.importing.litellm import places
from gateway.cli.importing.litellm.credentials import surroundings
from gateway.cli.importing.litellm.environment import Environment
from gateway.cli.importing.litellm.ids import made_of
from gateway.cli.importing.litellm.info import read_info
from gateway.cli.importing.litellm.notes import Field
from gateway.cli.importing.litellm.params import Draft, read_params
from gateway.cli.importing.litellm.upstreams import KEYS, UPSTREAMS, Choice, choose, split
from gateway.registry import InvalidValue, references
from gateway.settings import limits

_LOST: Final = "Its model is not imported, see there."
_PASSED: Final = ("model_name", "litellm_params", "model_info")


class Around(msgspec.Struct, kw_only=True):
    """What an import finds around it."""

    providers: Mapping[str, str]
    """The enabled ones, and where each asks when a model does not say."""
    denied: Callable[[str], str | None]
    """Why the egress guard would refuse an address, with the setting that allows it."""
    environ: Mapping[str, str]


class Deployment(msgspec.Struct, kw_only=True):
    """One entry on its way into the registry."""

    field: Field
    group: str
    """What clients ask for."""
    id: str = ""
    columns: dict[str, Any] | None = None
    """None: it cannot be imported, the notes say why."""
    weight: float | None = None
    rate: float | None = None
    """Requests or tokens a minute, by which LiteLLM weighs where nothing else is said."""
    priority: int = 0
    tags: tuple[str, ...] = ()


def read_deployments(
    entries: list[Field], credentials: Mapping[str, Field], environment: Environment, around: Around
) -> list[Deployment]:
    """Every entry; `credentials` are those of `credential_list`."""
    seen: Counter[tuple[str, ...]] = Counter()
    return [_read(entry, credentials, environment, around, seen) for entry in entries]


def limit_time(deployments: list[Deployment], field: Field | None) -> None:
    """Give the models that have no time limit of their own the one of the settings."""
    if field is None:
        return
    seconds = field.number()
    if seconds is None or not 0 < seconds <= 86_400:
        field.unsupported("It is no number of seconds up to a day.")
        return
    for one in deployments:
        if one.columns is not None:
            one.columns["timeouts"] = {"total": seconds, **one.columns.get("timeouts", {})}
    field.approximate("It is the limit of every attempt, of a stream as well.")


def _read(
    entry: Field,
    credentials: Mapping[str, Field],
    environment: Environment,
    around: Around,
    seen: Counter[tuple[str, ...]],
) -> Deployment:
    name, params = entry.get("model_name"), entry.get("litellm_params")
    group = (name.text() or "") if name else ""
    deployment = Deployment(field=entry, group=group)
    model = params.get("model") if params else None
    asked = (model.text() or "") if model else ""
    if name is None or not group or params is None or model is None or not asked:
        entry.unsupported("It is no deployment: model_name and litellm_params.model are texts in every one.")
        return deployment
    if "*" in group or "*" in asked:
        _refuse_wildcard(name, model)
        entry.rest(_LOST)
        return deployment
    merged = _with_credential(params, credentials)
    prefix, rest = split(asked, _said(merged))
    kind = places.kind(prefix, rest, merged, environment)
    is_native = kind in UPSTREAMS and UPSTREAMS[kind].provider in around.providers
    base_url = places.address(kind, rest, merged, environment, is_native=is_native)
    upstream_name = places.upstream_name(kind, rest, merged)
    choice = _who(model, kind, upstream_name, merged, base_url, environment, around)
    if choice is None or not _is_address(choice, merged, model):
        entry.rest(_LOST)
        return deployment
    _tell_address(merged, choice, around)
    draft = Draft(environment=environment, columns={}, provider=choice.provider, model=upstream_name)
    read_params(merged, draft)
    read_info(entry.get("model_info"), draft)
    for other, field in entry.fields():
        if other not in _PASSED:
            field.rest()
    _default_key(draft, kind)
    name.exact("Clients ask for it by this name.")
    key = (group, asked, base_url)
    seen[key] += 1
    deployment.id = _id(draft, key, seen[key])
    deployment.weight, deployment.rate, deployment.priority = draft.weight, draft.rate, draft.priority
    deployment.tags = draft.tags
    columns = {
        "user_id": None,
        "name": group,
        "model_id": upstream_name,
        "base_url": choice.base_url,
        "provider": choice.provider,
        "sharing": "private",
        **draft.columns,
    }
    try:
        for column in ("name", "model_id", "provider"):
            limits.required(column, columns[column])
        for column in set(limits.STRUCTURED) & set(columns):
            limits.structured(column, columns[column])
        limits.check_text("description", columns.get("description", ""))
    except InvalidValue as error:
        entry.unsupported(f"It cannot be imported: {error}")
        return deployment
    deployment.columns = columns
    return deployment


def _refuse_wildcard(name: Field, model: Field) -> None:
    text = (
        "There are no wildcards: every model has a row. `gateway models discover --base-url URL --add` adds what an "
        "upstream has."
    )
    name.manual(text)
    model.manual(text)


def _with_credential(params: Field, credentials: Mapping[str, Field]) -> dict[str, Field]:
    """The fields of the deployment, over those of the credential it names."""
    own = dict(params.fields())
    named = own.get("litellm_credential_name")
    if named is None:
        return own
    credential = credentials.get(named.text() or "")
    if credential is None:
        named.manual("There is no credential of this name in credential_list: give the model its key here.")
        return own
    named.exact("The values of this credential are taken.")
    return {**dict(credential.fields()), **own}


def _is_address(choice: Choice, fields: Mapping[str, Field], model: Field) -> bool:
    try:
        limits.base_url(choice.base_url)
    except InvalidValue as error:
        (fields.get("api_base") or fields.get("base_url") or model).unsupported(str(error))
        return False
    return True


def _tell_address(fields: Mapping[str, Field], choice: Choice, around: Around) -> None:
    warning = around.denied(choice.base_url)
    for name in (*places.ADDRESSES, "aws_region_name"):
        if name in fields and warning is not None:
            fields[name].manual(warning)
        elif name in fields:
            fields[name].exact("It is asked there.")


def _said(fields: Mapping[str, Field]) -> str | None:
    field = fields.get("custom_llm_provider")
    return field.text() if field else None


def _who(
    model: Field,
    kind: str,
    name: str,
    fields: Mapping[str, Field],
    base_url: str,
    environment: Environment,
    around: Around,
) -> Choice | None:
    if not kind:
        model.unsupported("Its prefix is none the import knows: say who serves it, as in openai/NAME with an api_base.")
        return None
    if kind == "vertex_ai" and not places.is_asked_on_vertex(name):
        model.manual(
            "The provider vertex asks Gemini and Claude; Vertex AI's others are asked by the provider openai at "
            ".../endpoints/openapi, see docs/gemini.md: add it by `gateway models add`."
        )
        return None
    choice = choose(kind, base_url, around.providers)
    if choice is None:
        model.unsupported(f"No enabled plugin speaks to {kind}: see `gateway plugins list`.")
    elif not choice.base_url:
        missing = "aws_region_name" if kind == "bedrock" else "api_base"
        model.manual(f"Where {kind} is asked is not said: give it {missing}, and import again.")
        return None
    elif not base_url and (warning := around.denied(choice.base_url)) is not None:
        model.manual(f"The provider {choice.provider} asks it; {warning}")
    elif choice.is_native and (todo := surroundings(kind, fields, environment)) is not None:
        model.manual(f"The provider {choice.provider} asks it. {todo}")
    elif choice.is_native:
        model.exact(f"The provider {choice.provider} asks it.")
    else:
        model.approximate(f"It is asked in OpenAI's dialect by the provider {choice.provider}, at {choice.base_url}.")
    return choice


def _default_key(draft: Draft, kind: str) -> None:
    """LiteLLM takes a key that nobody names from the provider's usual variable; so does the model here."""
    if "api_key" not in draft.columns:
        usual = KEYS.get(kind)
        draft.columns["api_key"] = references.variable(usual) if usual else None


def _id(draft: Draft, key: tuple[str, ...], number: int) -> str:
    """The id the configuration gives it, where that is a UUID; else one made of what it is."""
    if draft.id:
        try:
            return str(uuid.UUID(draft.id))
        except ValueError:
            return made_of("id", draft.id)
    return made_of("model", *key, str(number))
