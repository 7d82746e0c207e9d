"""As much of PostgreSQL's text as a dump has: where statements end, names, values, the lines of COPY."""

import re
from collections.abc import Iterator
from typing import Final

_SPECIAL: Final = re.compile(r"(?<![\w$])[eE]'|--|/\*|'|\"|(?<![\w$])\$(?:[^\W\d]\w*)?\$|;")
_ESCAPED_END: Final = re.compile(r"\\.|'", re.DOTALL)
_NAME: Final = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
NAME: Final = re.compile(_NAME)
QUALIFIED: Final = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_TOKEN: Final = re.compile(
    r"""\s*(?: (?P<mark>[(),;])
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    | '(?P<text>[^']*(?:''[^']*)*)'
    | (?P<word>[^\s(),;']+) )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WORDS: Final = {"null": None, "true": "true", "false": "false"}


class Unreadable(Exception):
    """The text is not what a dump writes."""


def end_of_statement(line: str, inside: str) -> tuple[int, str]:
    """Where in the line the statement ends (-1: not here), and what is still open at the line's end.

    `inside` is what the line before left open: a quote, a comment, a dollar-quoted body.
    """
    position = 0
    while True:
        if not inside:
            found = _SPECIAL.search(line, position)
            if found is None or found[0] == "--":
                return -1, ""
            if found[0] == ";":
                return found.end(), ""
            inside, position = found[0].upper() if found[0] == "e'" else found[0], found.end()
        position = _end_of_quoted(line, inside, position)
        if position < 0:
            return -1, inside
        inside = ""


def _end_of_quoted(line: str, inside: str, position: int) -> int:
    """Behind the quote's end; a doubled quote ends it and begins the next, which comes to the same."""
    if inside == "E'":
        while (found := _ESCAPED_END.search(line, position)) is not None and found[0] != "'":
            position = found.end()
        return found.end() if found else -1
    end = "*/" if inside == "/*" else inside
    at = line.find(end, position)
    return -1 if at < 0 else at + len(end)


def names(text: str) -> list[str]:
    """The identifiers in a list or in a qualified name, as they are without quotes."""
    return [name[1:-1].replace('""', '"') if name.startswith('"') else name.lower() for name in NAME.findall(text)]


def copied(line: str) -> list[str | None]:
    """The cells of one line of COPY's text format."""
    return [None if cell == r"\N" else _unescaped(cell) for cell in line.split("\t")]


def inserted(text: str) -> Iterator[list[str | None]]:
    """The rows behind VALUES."""
    row: list[str | None] | None = None
    position = 0
    while (found := _TOKEN.match(text, position)) is not None:
        position = found.end()
        mark, word = found["mark"], found["word"]
        if row is None:
            if mark == "(":
                row = []
            elif mark != ",":
                return  # ON CONFLICT ..., or the end
        elif mark == ")":
            yield row
            row = None
        elif mark is None and not (word or "").startswith("::"):  # a cast says nothing a text does not
            row.append(_value(found))
        elif mark not in (None, ","):
            break
    if row is not None or text[position:].strip():
        raise Unreadable("a row of values is not what a dump writes")


def _value(found: re.Match[str]) -> str | None:
    if found["text"] is not None:
        return found["text"].replace("''", "'")
    if found["escaped"] is not None:
        return _unescaped(found["escaped"][2:-1].replace("''", "'"))
    word = found["word"]
    return _WORDS.get(word.lower(), word)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else _LETTERS.get(code, code)
