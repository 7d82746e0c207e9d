"""`gateway models`: the models clients may ask for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.api_key import api_key_options
from gateway.cli.catalog import catalog, choose, columns, in_words, shown, told_of
from gateway.cli.discover import discover
from gateway.cli.endings import Failed, Wrong
from gateway.cli.models_health import health
from gateway.cli.opened import running, settings, work
from gateway.cli.output import print_fields, print_json, print_rows
from gateway.cli.quirk_option import quirk_option, with_quirks
from gateway.cli.reach import denied, exposed, without_values

if TYPE_CHECKING:
    from gateway.registry import Database, StoredModel


@click.group(name="models")
def group() -> None:
    """Add, list, change, test and remove models."""


group.add_command(health)
group.add_command(catalog)
group.add_command(discover)


def _common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the model as JSON."),
        api_key_options,
        quirk_option,
        click.option(
            "--set",
            "columns",
            metavar="FIELD=JSON",
            multiple=True,
            help="Set parameters, quirks, timeouts, headers, prices or capabilities; FIELD=@FILE reads a file.",
        ),
        click.option(
            "--context-length",
            type=click.IntRange(1, 2**31 - 1),
            help="Tokens of prompt and answer.  [default: the catalog's]",
        ),
        click.option("--description", help="What people should know about it."),
        click.option("--sharing", type=click.Choice(["private", "public"]), help="[default: private]"),
        click.option("--owner", metavar="UUID", help="Whose model it is; without one it is the operator's."),
    ):
        command = option(command)
    return command


@group.command()
@click.argument("name")
@click.option(
    "--base-url",
    metavar="URL",
    help="Where the upstream is asked, as in https://api.openai.com/v1.  "
    "[default: that of --provider or --from-catalog; one of the three must be given]",
)
@click.option(
    "--provider",
    help="The provider that speaks the upstream's dialect.  [default: openai, which then needs --base-url]",
)
@click.option("--model-id", help="The model's name at the upstream.  [default: the catalog's, else required]")
@click.option(
    "--from-catalog",
    "ref",
    metavar="[PROVIDER/]MODEL",
    help="Take provider, address, name, prices and context from it.",
)
@click.option("--id", "model_uuid", metavar="UUID", help="The id; without it a random one.")
@_common_options
def add(
    name: str, base_url: str | None, ref: str | None, model_uuid: str | None, as_json: bool, **options: Any
) -> None:
    """Add a model called NAME.

    Its id is printed alone on standard output. `gateway providers list` shows the providers (docs/providers.md),
    `gateway models catalog` the models that are known.
    """
    from gateway.registry import ModelStore, NewModel
    from gateway.settings import limits

    chosen = _chosen(ref, options, base_url) if ref is not None else {}
    if options["model_id"] is None:
        raise Wrong("Say which model it is: --model-id NAME, or --from-catalog [PROVIDER/]MODEL.")
    base_url = chosen.pop("base_url", base_url)
    url = _own_url(options["provider"]) if base_url is None else _checked_url(base_url)
    warnings = [denied(url), exposed(url)]
    quirks = options.pop("quirk")

    async def run(database: "Database") -> "tuple[StoredModel, bool]":
        changes = {**chosen, **_changes(options)}
        new = NewModel(
            name=limits.required("name", name),
            base_url=url,
            id=limits.canonical_uuid(model_uuid) if model_uuid is not None else None,
            **{**changes, "quirks": with_quirks(changes.get("quirks", {}), quirks)},
        )
        store = ModelStore(database)
        added = await store.add(new)
        twins = [model for model in await store.all() if (model.name, model.owner) == (added.name, added.owner)]
        return added, len(twins) > 1

    model, ambiguous = work(run)
    _warn(*warnings, f"This owner has another model called {model.name}: ask for both by id." if ambiguous else None)
    _print_changed(model, "Added", as_json=as_json)


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List all models."""
    from gateway.registry import ModelStore

    async def run(database: "Database") -> "list[StoredModel]":
        return await ModelStore(database).all()

    models = work(run)
    if as_json:
        print_json(shown(models))
        return
    managed = any(model.managed_by for model in models)
    rows = [
        (
            model.id,
            model.name,
            model.provider,
            model.model_id,
            without_values(model.base_url),
            model.owner,
            model.sharing,
            model.enabled,
            *([model.managed_by or None] if managed else []),
        )
        for model in models
    ]
    columns = ["ID", "NAME", "PROVIDER", "MODEL ID", "BASE URL", "OWNER", "SHARING", "ENABLED"]
    columns += ["MANAGED BY"] if managed else []
    print_rows(columns, rows, empty="There are no models yet: add one with `gateway models add`.")


@group.command()
@click.argument("model", metavar="ID_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(model: str, as_json: bool) -> None:
    """Show one model.

    Everything but its API key and the values of its headers; prices and context length with who says them.
    """
    import msgspec

    found = work(lambda database: _find(database, model))
    [told] = shown([found])
    if as_json:
        print_json(told)
        return
    fields = {**msgspec.structs.asdict(found), "base_url": without_values(found.base_url)}
    print_fields({**fields, **in_words(told["effective"])})


@group.command()
@click.argument("model", metavar="ID_OR_NAME")
@click.option("--name", help="A new name.")
@click.option("--base-url", metavar="URL", help="Where the upstream is asked, as in https://api.openai.com/v1.")
@click.option("--model-id", help="The model's name at the upstream.")
@click.option("--provider", help="The provider that speaks the upstream's dialect.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it may be used.")
@_common_options
def update(model: str, name: str | None, base_url: str | None, as_json: bool, **options: Any) -> None:
    """Change one model.

    Only what is given changes. An empty --owner makes it the operator's.
    """
    from gateway.registry import ModelStore
    from gateway.settings import limits

    quirks = options.pop("quirk")
    url = _checked_url(base_url) if base_url is not None else None
    warnings = [denied(url), exposed(url)] if url is not None else []

    async def run(database: "Database") -> "StoredModel":
        changes = _changes(options)
        if name is not None:
            changes["name"] = limits.required("name", name)
        if url is not None:
            changes["base_url"] = url
        if not changes and not quirks:
            raise Wrong("Nothing to change was given: see `gateway models update --help`.")
        found = await _find(database, model)
        if quirks:
            changes["quirks"] = with_quirks(changes.get("quirks", found.quirks), quirks)
        return await ModelStore(database).update(found.id, changes)

    updated = work(run)
    _warn(*warnings)
    _print_changed(updated, "Updated", as_json=as_json)


@group.command()
@click.argument("model", metavar="ID_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the removed model as JSON.")
def remove(model: str, as_json: bool) -> None:
    """Remove one model; routes go on without it."""
    from gateway.registry import ModelStore, RouteStore

    async def run(database: "Database") -> "tuple[StoredModel, list[str]]":
        found = await _find(database, model)
        await ModelStore(database).remove(found.id)
        return found, [route.name for route in await RouteStore(database).of_model(found.id)]

    removed, routes = work(run)
    _warn(f"It was a target of the route {', '.join(routes)}: see `gateway routes show`." if routes else None)
    _print_changed(removed, "Removed", as_json=as_json)


@group.command()
@click.argument("model", metavar="ID_OR_NAME")
@click.option("--timeout", type=click.IntRange(1, 3600), default=60, show_default=True, help="Seconds for the answer.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def test(model: str, timeout: int, as_json: bool) -> None:
    """Call one model, and tell what works.

    It costs one short call, which goes the way of every call: through the address guard, the limits and the provider.
    Keys by reference are looked up in this command's environment. Exit code 1 when clients would get no answers.
    """
    from gateway.cli.model_test import Report, ask, report

    click.echo("This costs one short call at the upstream.", err=True)

    async def run() -> Report:
        from gateway.app import Application
        from gateway.app.log import configure
        from gateway.registry import ModelStore

        configure("critical")  # what goes wrong is told by the report
        application = Application(settings())
        async with application.running():
            found = await ModelStore(application.registry.database).find(model)
            served = application.registry.snapshot.model(found.id)
            if served is None:
                why = "its secrets cannot be opened" if found.enabled else "it is disabled"
                raise Failed(f"The model {found.name} is not served: {why}.")
            return report(served, await ask(application.pipeline, served, timeout), timeout)

    found = running(run)
    if as_json:
        print_json(found)
    else:
        print_rows(("CHECK", "RESULT", "FINDING"), [(c.check, c.result, c.finding) for c in found.checks], empty="")
    if not found.works:
        raise Failed(f"The model {found.name} does not answer as it should.")


def _checked_url(value: str) -> str:
    from gateway.registry import InvalidValue
    from gateway.settings import limits

    try:
        return limits.base_url(value)
    except InvalidValue as error:
        raise Wrong(str(error)) from error


def _chosen(ref: str, options: dict[str, Any], base_url: str | None) -> dict[str, Any]:
    """What the catalog says of the model; options that were not given are filled in."""
    found = choose(ref)
    options["model_id"] = options["model_id"] or found.model_id
    options["provider"] = options["provider"] or found.provider or None
    url = base_url or found.base_url
    if not url:
        raise Wrong(f"No enabled provider has an address for {found.entry.ref}: give --base-url, and --provider.")
    click.echo(f"From the catalog: {found.entry.ref}, {told_of(found.entry)}.", err=True)
    return {"base_url": url, **columns(found, url, options["model_id"])}


def _own_url(provider: str | None) -> str:
    if provider is None:
        # Not OpenAI's address, though `openai` is the default: it is the dialect of many, and where --base-url was
        # forgotten the upstream's key and every prompt would go to somebody they are not for.
        raise Wrong(
            "Say where the model is: --base-url URL, or --provider with an address of its own, "
            "such as --provider openai for OpenAI's API."
        )
    from gateway.cli.providers import default_base_url  # loads the plugins, which no other command here needs

    return default_base_url(provider)


def _warn(*messages: str | None) -> None:
    for message in filter(None, messages):
        click.echo(f"Warning: {message}", err=True)


async def _find(database: "Database", id_or_name: str) -> "StoredModel":
    from gateway.registry import ModelStore

    return await ModelStore(database).find(id_or_name)


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    """The columns that were given, checked as people's input is."""
    from gateway.settings import limits

    columns = options.pop("columns")
    changes = {field: value for field, value in options.items() if value is not None}
    for field in {"model_id", "provider"} & set(changes):
        changes[field] = limits.required(field, changes[field])
    if "owner" in changes:
        owner = changes.pop("owner")
        changes["user_id"] = limits.canonical_uuid(owner, what="owner") if owner else None
    return {**changes, **dict(map(_column, columns))}


def _column(given: str) -> tuple[str, Any]:
    """One `--set FIELD=JSON`."""
    import msgspec

    from gateway.settings.limits import STRUCTURED

    field, separator, text = given.partition("=")
    if not separator or field not in STRUCTURED:
        raise Wrong(f"--set takes FIELD=JSON with one of {', '.join(STRUCTURED)} as FIELD.")
    try:
        if text.startswith("@"):
            with open(text[1:], "rb") as file:
                return field, msgspec.json.decode(file.read())
        return field, msgspec.json.decode(text)
    except OSError as error:
        raise Failed(f"The file {text[1:]} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Wrong(f"What --set {field} was given is not JSON: {error}.") from error


def _print_changed(model: "StoredModel", done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(shown([model])[0])
        return
    click.echo(f"{done} the model {model.name}.", err=True)
    click.echo(model.id)
