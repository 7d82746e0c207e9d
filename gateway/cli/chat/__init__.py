"""`gateway chat`: ask a model through a running gateway."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from gateway.cli.address import Address, NotRunning, own_url
from gateway.cli.endings import Failed, Wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.chat.asking import Answer, Caller
    from gateway.cli.context import Context
    from gateway.settings import Settings

KEY = "GATEWAY_API_KEY"
_FILE = click.Path(path_type=Path, dir_okay=False)
_INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""


@click.command()
@click.argument("text", required=False)
@click.option("-m", "--model", help="Name or id of the model. Default: the only one the key may use.")
@click.option("--url", help="The running gateway. Default: http:// and the host and port of the settings.")
@click.option(
    "--key-file", type=_FILE, help=f"File with a virtual key. Default: {KEY}, else the demo's in the data directory."
)
@click.pass_obj
def chat(context: "Context", text: str | None, model: str | None, url: str | None, key_file: Path | None) -> None:
    """Ask a model, and print its answer as it comes.

    TEXT is the question; without it standard input is, or, on a terminal, a conversation begins. Ctrl-C ends an answer
    and its upstream. Times and tokens go to standard error. Exit code 1 when the question was refused or the answer
    was cut.
    """
    from gateway.cli.chat.asking import Caller
    from gateway.cli.chat.completions import Turn

    settings = context.settings()
    caller = Caller(Address(url or own_url(settings)), _key(settings, key_file))
    if text is None and not sys.stdin.isatty():
        text = _piped()
    try:
        asked = model or caller.only_model()
        if text is None:
            _converse(caller, asked)
        else:
            _print_answer(caller.answer(asked, [Turn("user", text)]), asked)
    except NotRunning as error:
        raise Failed(f"{error} Start it with `gateway serve`.") from error
    except KeyboardInterrupt:
        click.echo("\nCancelled.", err=True)
        raise Exit(_INTERRUPTED) from None


def _converse(caller: "Caller", name: str) -> None:
    """Questions and answers until Ctrl-D; only answers that came to their end are remembered."""
    import readline  # noqa: F401 - gives `input` its editing

    from gateway.cli.chat.completions import Turn

    click.echo(f"You speak with {name}. Ctrl-C ends an answer, Ctrl-D the conversation.", err=True)
    turns: list[Turn] = []
    while True:
        try:
            said = input("> ")
        except (EOFError, KeyboardInterrupt):
            click.echo(err=True)
            return
        if not said.strip():
            continue
        question = Turn("user", said)
        try:
            answered = _print_answer(caller.answer(name, [*turns, question]), name)
        except KeyboardInterrupt:
            click.echo("\nCancelled.", err=True)
        except (Failed, NotRunning) as error:
            click.echo(f"Error: {error}", err=True)
        else:
            turns += [question, Turn("assistant", answered)]


def _print_answer(answer: "Answer", name: str) -> str:
    """The whole answer, printed as it came; what it took goes to stderr, however it ended."""
    shown = sys.stdout.isatty()
    texts: list[str] = []
    try:
        with closing(iter(answer)) as pieces:  # interrupted between two of them, it must hang up as well
            for text in pieces:
                texts.append(text)
                click.echo(_harmless(text) if shown else text, nl=False)
    finally:
        whole = "".join(texts)
        if shown and whole and not whole.endswith("\n"):
            click.echo()
    click.echo(f"{name}: {', '.join(_measures(answer))}", err=True)
    return whole


def _measures(answer: "Answer") -> "Iterator[str]":
    """What it took, as far as anybody knows."""
    yield "no text" if answer.first is None else f"first text after {answer.first:.2f} s"
    yield f"{answer.took:.2f} s in all"
    if answer.usage.prompt_tokens is not None:
        yield f"{answer.usage.prompt_tokens} tokens in"
    if answer.usage.completion_tokens is not None:
        yield f"{answer.usage.completion_tokens} out"
    if answer.finish == "length":
        yield "stopped at the model's token limit"


def _harmless(text: str) -> str:
    """What may be shown on a terminal: an answer must not be able to move its cursor or write its title."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text.replace("\r\n", "\n")
    )


def _piped() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise Wrong("What comes by the pipe is not text in UTF-8.") from error
    if not text.strip():
        raise Wrong("Nothing was asked: give a TEXT, or pipe one in.")
    return text


def _key(settings: "Settings", key_file: Path | None) -> str:
    """The virtual key: never from an argument, which other users can see."""
    if key_file is None and os.environ.get(KEY):
        key = os.environ[KEY].strip()
        if not key.isascii() or not key.isprintable():
            raise Failed(f"{KEY} holds no key.")
        return key
    file = key_file or settings.data_dir / "demo-key"
    if key_file is None and not file.exists():
        return ""  # a gateway whose route is open asks for none, any other says so
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise Failed(f"The key file {file} cannot be read.") from error
    if not key or not key.isascii() or not key.isprintable():
        raise Failed(f"{file} holds no key.")
    return key
