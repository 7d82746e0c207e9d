"""The entries of `model_list`: each one model of ours, or the reason why it is none."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.cli.importing.litellm.environment import Environment
from gateway.cli.importing.litellm.info import read_info
from gateway.cli.importing.litellm.notes import Field
from gateway.cli.importing.litellm.params import Draft, read_params
from gateway.cli.importing.litellm.upstreams import KEYS, Choice, choose, split
from gateway.registry import InvalidValue, limits, references

NAMESPACE: Final = uuid.UUID("0d1f7f4e-8a0b-4b39-9d5c-7e1f52c3aa64")
"""Ids are made of what a deployment is under this one: the same again at every import."""
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
    draft = Draft(environment=environment, columns={})
    merged = _with_credential(params, credentials)
    base_url = _address(merged, environment)
    choice, upstream_name = _who(model, asked, merged, base_url, around)
    if choice is None or not _is_address(choice, merged, model):
        entry.rest(_LOST)
        return deployment
    _tell_address(merged, choice, around)
    read_params(merged, draft)
    read_info(entry.get("model_info"), draft)
    for other, field in entry.fields():
        if other not in _PASSED:
            field.rest()
    _default_key(draft, merged, split(asked, _said(merged))[0])
    name.exact("Clients ask for it by this name.")
    key = (group, asked, base_url or "")
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


def _address(fields: Mapping[str, Field], environment: Environment) -> str | None:
    field = fields.get("api_base") or fields.get("base_url")
    if field is not None:
        return environment.text(field)
    region = fields.get("aws_region_name")
    name = environment.text(region) if region else None
    return f"https://bedrock-runtime.{name}.amazonaws.com" if name else None


def _is_address(choice: Choice, fields: Mapping[str, Field], model: Field) -> bool:
    try:
        limits.base_url(choice.base_url)
    except InvalidValue as error:
        (fields.get("api_base") or fields.get("base_url") or model).unsupported(str(error))
        return False
    return True


def _tell_address(fields: Mapping[str, Field], choice: Choice, around: Around) -> None:
    warning = around.denied(choice.base_url)
    for name in ("api_base", "base_url", "aws_region_name"):
        if name in fields and warning is not None:
            fields[name].manual(warning)
        elif name in fields:
            fields[name].exact("It is asked there.")


def _said(fields: Mapping[str, Field]) -> str | None:
    field = fields.get("custom_llm_provider")
    return field.text() if field else None


def _who(
    model: Field, asked: str, fields: Mapping[str, Field], base_url: str | None, around: Around
) -> tuple[Choice | None, str]:
    prefix, name = split(asked, _said(fields))
    if not prefix:
        model.unsupported("Its prefix is none the import knows: say who serves it, as in openai/NAME with an api_base.")
        return None, name
    choice = choose(prefix, base_url, around.providers)
    if choice is None:
        model.unsupported(f"No enabled plugin speaks to {prefix}: see `gateway plugins list`.")
    elif not choice.base_url:
        model.manual(f"Where {prefix} is asked is not said: give it an api_base, and import again.")
        return None, name
    elif base_url is None and (warning := around.denied(choice.base_url)) is not None:
        model.manual(f"The provider {choice.provider} asks it; {warning}")
    elif choice.is_native:
        model.exact(f"The provider {choice.provider} asks it.")
    else:
        model.approximate(f"It is asked in OpenAI's dialect by the provider {choice.provider}, at {choice.base_url}.")
    return choice, _upstream_name(prefix, name)


def _upstream_name(prefix: str, name: str) -> str:
    """LiteLLM's own ways to say how a model is called upon, which are no part of its name."""
    ways = {
        "bedrock": ("converse/", "converse_like/", "invoke/"),
        "azure": ("responses/", "gpt5_series/", "o_series/"),
        "openai": ("responses/", "chat/completions/"),
    }
    for way in ways.get(prefix, ()):
        name = name.removeprefix(way)
    return name


def _default_key(draft: Draft, fields: Mapping[str, Field], prefix: str) -> None:
    """LiteLLM takes a key that nobody names from the provider's usual variable; so does the model here."""
    if "api_key" not in draft.columns:
        usual = KEYS.get(prefix)
        keyless = usual is None or any(name.startswith(("aws_", "azure_", "vertex_")) for name in fields)
        draft.columns["api_key"] = None if keyless or usual is None else references.variable(usual)


def _id(draft: Draft, key: tuple[str, ...], number: int) -> str:
    """The id the configuration gives it, where that is a UUID; else one made of what it is."""
    if draft.id:
        try:
            return str(uuid.UUID(draft.id))
        except ValueError:
            return str(uuid.uuid5(NAMESPACE, f"id\0{draft.id}"))
    return str(uuid.uuid5(NAMESPACE, "\0".join((*key, str(number)))))
