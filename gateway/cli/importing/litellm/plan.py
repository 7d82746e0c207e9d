"""A whole configuration, looked at: the models and routes it becomes, and a note on every field."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.endings import Failed
from gateway.cli.importing.litellm.deployments import Around, Deployment, limit_time, read_deployments
from gateway.cli.importing.litellm.document import Document, read_document
from gateway.cli.importing.litellm.environment import Environment
from gateway.cli.importing.litellm.groups import make_routes, read_wishes
from gateway.cli.importing.litellm.notes import Field, Level, Notes
from gateway.cli.importing.litellm.sections import default_timeout, tell_master_key, tell_sections
from gateway.registry.routes import NewRoute

_INCLUDES: Final = 50


class Plan(msgspec.Struct, kw_only=True):
    """What would be done, and what there is to know."""

    deployments: list[Deployment]
    routes: list[NewRoute]
    notes: Notes
    wants_admin: bool


def read_all(path: Path) -> list[Document]:
    """The file, and those it includes."""
    first = read_document(path, path.name)
    included = first.content.get("include")
    names = [name for name in included if isinstance(name, str)] if isinstance(included, list) else []
    if len(names) > _INCLUDES:
        raise Failed(f"The file {path.name} includes {len(names)} files, at most {_INCLUDES} are read.")
    return [first, *(read_document(path.parent / name, name) for name in names)]


def make_plan(documents: Sequence[Document], around: Around) -> Plan:
    """Look at every field."""
    notes = Notes()
    roots = [
        Field(document.content, "" if number == 0 else f"{document.name}: ", notes)
        for number, document in enumerate(documents)
    ]
    _tell_files(documents, roots, notes)
    root = _merged(roots, notes)
    variables = root.get("environment_variables")
    environment = Environment(
        around.environ, variables.value if variables and isinstance(variables.value, dict) else {}
    )
    entries = [entry for one in roots if (found := one.get("model_list")) for entry in found.elements()]
    deployments = read_deployments(entries, _credentials(roots), environment, around)
    limit_time(deployments, default_timeout(root))
    sizes = Counter(one.group for one in deployments if one.columns is not None)
    routes = make_routes(deployments, read_wishes(_sections(root, "router_settings", "litellm_settings"), sizes))
    wants_admin = tell_master_key(root)
    tell_sections(root)
    for one in roots:
        one.rest()
    return Plan(deployments=deployments, routes=routes, notes=notes, wants_admin=wants_admin)


def _tell_files(documents: Sequence[Document], roots: Sequence[Field], notes: Notes) -> None:
    for document, root in zip(documents, roots, strict=True):
        for key in document.repeated:
            text = "This key stands twice in one mapping; YAML keeps the last of its values, and the others are lost."
            notes.say(f"{root.path}(repeated) {key[:100]}", Level.MANUAL, text)
        if not document.content:
            root_path = root.path or "(file)"
            notes.say(root_path, Level.EXACT, "There is nothing in it.")
    included = roots[0].get("include")
    for element in included.elements() if included else ():
        if element.text():
            element.exact("The file is read as well.")


def _merged(roots: Sequence[Field], notes: Notes) -> Field:
    """The sections that count: of several files the last one that has a section, as LiteLLM has it."""
    root = roots[0]
    for later in roots[1:]:
        for name, section in later.fields():
            if name in ("model_list", "credential_list", "include"):
                continue
            earlier = root.get(name)
            if earlier is not None:
                earlier.manual("An included file has this section, too, and LiteLLM reads that one alone.")
            root = _Overlaid(root, name, section)
    return root


class _Overlaid(Field):
    """A root one of whose sections stands in another file."""

    def __init__(self, below: Field, name: str, section: Field) -> None:
        super().__init__(below.value, below.path, below.notes)
        self._below_it, self._name, self._section = below, name, section

    def get(self, name: str) -> Field | None:
        return self._section if name == self._name else self._below_it.get(name)


def _sections(root: Field, *names: str) -> list[Field]:
    return [section for name in names if (section := root.get(name)) is not None]


def _credentials(roots: Sequence[Field]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for root in roots:
        listed = root.get("credential_list")
        for entry in listed.elements() if listed else ():
            name, values = entry.get("credential_name"), entry.get("credential_values")
            if name is not None and values is not None and name.text():
                found.setdefault(name.text() or "", values)
                name.exact("Models that name it get its values.")
            if (info := entry.get("credential_info")) is not None:
                info.unsupported("It is a note that nothing here reads.")
    return found
