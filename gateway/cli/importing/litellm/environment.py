"""References to environment variables: kept where a reference can be kept, looked up where the value is needed now."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.cli.importing.litellm.notes import Field
from gateway.registry import InvalidValue, references
from gateway.registry.references import KeyReference
from gateway.secrets import Secret

_MARK: Final = "os.environ/"


class Environment:
    """The variables of this command, over those the configuration itself sets."""

    def __init__(self, environ: Mapping[str, str], said: Mapping[str, Any]) -> None:
        self._environ = environ
        self._said = {name: str(value) for name, value in said.items() if isinstance(value, str | int | float)}

    def text(self, field: Field) -> str | None:
        """The text, looked up where it is a reference; a note and None where that is not set."""
        text = field.text()
        name = variable_in(text)
        if name is None:
            return text
        found = self._environ.get(name) or self._said.get(name)
        if not found:
            field.manual(f"The variable {name} is not set here, and its value is needed now: set it and import again.")
            return None
        field.approximate(f"The value that {name} has now is taken: only keys stay references.")
        return found.strip()

    def peek(self, field: Field) -> str:
        """The same without a note; empty where there is none."""
        text = field.text()
        name = variable_in(text)
        return (text or "") if name is None else self.set_here(name)

    def set_here(self, *names: str) -> str:
        """What the first of these variables holds that is set; empty where none is."""
        found = (self._environ.get(name) or self._said.get(name) for name in names)
        return next((value.strip() for value in found if value), "")

    def key(self, field: Field) -> Secret | KeyReference | None:
        """The key, or the reference to it; None where it can be neither."""
        text = field.text()
        if text is None:
            field.unsupported("The key is no text: the model is imported without one.")
            return None
        name = variable_in(text)
        try:
            if name is None:
                field.exact("The key is stored, encrypted.")
                return Secret(_checked(text))
            reference = references.variable(name)
        except InvalidValue as error:
            field.manual(f"The key cannot be used: {error} The model is imported without one.")
            return None
        if name in self._said:
            field.manual(f"It stays a reference to {name}, which this file sets: set it where the gateway runs.")
        else:
            field.exact(f"It stays a reference to the environment variable {name}.")
        return reference


def variable_in(text: str | None) -> str | None:
    """The variable that a text refers to, None when it is no reference."""
    return text.removeprefix(_MARK).strip() if text is not None and text.startswith(_MARK) else None


def _checked(text: str) -> str:
    from gateway.settings import limits

    return limits.api_key(text)
