"""`--quirk`: one difference of an upstream at a time, on top of those a model has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from gateway.cli.endings import Wrong

_LISTS: Final = ("omit", "keep")
_MAPS: Final = ("rename", "roles")
_FORMS: Final = "omit=FIELD, keep=FIELD, rename=FIELD:KNOWN, roles=ROLE:KNOWN or response_format=schema|json|none"


def quirk_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--quirk` to a command that takes `quirk`, a tuple of texts."""
    return click.option(
        "--quirk",
        metavar="KIND=WHAT",
        multiple=True,
        help=f"How the upstream differs from OpenAI, added to what is known: {_FORMS}.",
    )(command)


def with_quirks(known: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """The quirks with those that were given; ends the command where one cannot be understood."""
    quirks = dict(known)
    for text in given:
        kind, separator, what = text.partition("=")
        old, mapped, new = what.partition(":")
        if separator and kind in _LISTS and what:
            quirks[kind] = sorted({*quirks.get(kind, ()), what})
        elif separator and kind in _MAPS and old and mapped and new:
            quirks[kind] = {**quirks.get(kind, {}), old: new}
        elif separator and kind == "response_format" and what:
            quirks[kind] = what
        else:
            raise Wrong(f"--quirk takes {_FORMS}, not {text[:100]!r}.")
    return quirks
