"""Where a setting was written, and the error that lists everything wrong at once."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from gateway.settings.model import Settings

Path: TypeAlias = tuple[str, ...]


class Origin(NamedTuple):
    """Where a setting was written, in the words of who wrote it."""

    text: str
    """`gateway.toml: egress.allow`, `GATEWAY_PORT`, `--port`."""
    environment: bool = False


Origins: TypeAlias = Mapping[Path, Origin]


class SettingsError(Exception):
    """Settings cannot be used; `problems` are all of them, one sentence each, without any secret."""

    def __init__(self, problems: Iterable[str], rest: "Settings | None" = None) -> None:
        self.problems = tuple(problems)
        self.rest = rest
        """What is right by itself, so that plugins' sections can be checked too, and `gateway doctor` can look on."""
        head = "" if len(self.problems) == 1 else f"{len(self.problems)} settings are wrong:\n"
        super().__init__(head + "\n".join(self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty where none is near."""
    from difflib import get_close_matches  # only who has misspelt something needs it

    # At difflib's own 0.6 'nope' is near 'openai'; two of three letters are 0.67.
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.65)), "")


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else nothing."""
    near = nearest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def variable(path: Iterable[object]) -> str:
    """The environment variable of a key path."""
    return "GATEWAY_" + "__".join(str(part) for part in path).upper()


def locate(path: tuple[object, ...], origins: Origins) -> Origin:
    """Where the value at `path`, or the table it stands in, was written."""
    keys = tuple(str(part) for part in path)
    for length in range(len(keys), 0, -1):
        origin = origins.get(keys[:length])
        if origin is not None:
            rest = "".join(f".{part}" for part in keys[length:])
            return Origin(origin.text + rest, origin.environment)
    for known, origin in origins.items():
        if known[: len(keys)] == keys and not origin.environment:  # what stands inside it was written one by one
            return Origin(origin.text.removesuffix("".join(f".{part}" for part in known[len(keys) :])))
    return Origin(".".join(keys))
