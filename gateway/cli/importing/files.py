"""Tells what kind of file it was given, and reads what can be read."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from gateway.cli.endings import Failed, Wrong
from gateway.cli.importing.csv_file import read_csv, table_of
from gateway.cli.importing.dump import Dump
from gateway.cli.importing.findings import Tables

_CONVERT: Final = "pg_restore --data-only --schema=public --table=models --table=profiles --file=chatbot-ui.sql"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_file(path: Path, tables: Collection[str]) -> Tables:
    """The rows of these tables in a CSV file or a plain-text dump."""
    try:
        if path.is_dir():
            raise _no_text(path, is_archive=(path / "toc.dat").exists())
        with path.open("rb") as file:
            head = file.read(512)
        _refuse_binary(path, head)
        return _read(path, tables)
    except OSError as error:
        raise Failed(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Failed(f"The file {path} is not UTF-8: dump with --encoding=UTF8.") from error


def _read(path: Path, tables: Collection[str]) -> Tables:
    # Line ends as they are: inside quotes they are part of a value.
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = table_of(file.readline())
    with path.open(encoding="utf-8-sig", newline="" if table else "\n") as file:
        if table is None:
            found = Dump(path, tables).read(file)
        elif table in tables:
            found = read_csv(path, file, table)
        else:
            raise Wrong(f"{path.name} holds {table}, which are only imported with --{table}.")
    if not found:
        names = " or ".join(tables)
        raise Failed(
            f"There is no table {names} in {path.name}: it needs the header of a CSV export, or pg_dump's plain text."
        )
    return found


def _refuse_binary(path: Path, head: bytes) -> None:
    if head.startswith((b"PGDMP", b"toc.dat\0")):
        raise _no_text(path, is_archive=True)
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        raise Failed(f"The file {path} is compressed: unpack it first.")
    if head.startswith(_UTF16):
        raise Failed(f"The file {path} is UTF-16, as PowerShell's `>` writes it: use pg_dump's own --file=FILE.")
    if b"\0" in head:
        raise _no_text(path, is_archive=False)


def _no_text(path: Path, *, is_archive: bool) -> Failed:
    if is_archive:
        return Failed(f"The dump {path} is an archive of pg_dump: make it plain text with `{_CONVERT} {path}`.")
    return Failed(f"{path} is neither a CSV file nor a dump in plain text.")
