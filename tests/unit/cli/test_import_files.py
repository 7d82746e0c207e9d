"""`gateway import chatbot-ui` from files: dumps in every form, and files that are none."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

ID, OTHER = "0b1c2d3e-0000-4000-8000-00000000000a", "0b1c2d3e-0000-4000-8000-00000000000c"
OWNER = "0b1c2d3e-0000-4000-8000-00000000000b"
COLUMNS = "id, user_id, name, description, model_id, base_url, api_key"
URL = "https://a.example/v1"
Import = Callable[..., Result]


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    """Imports a file of this content into a new installation."""

    def run(content: str | bytes, *, code: int = 0) -> Result:
        file = tmp_path / "dump.sql"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
        arguments = ["import", "chatbot-ui", "--from", str(file), "--json"]
        result = CliRunner().invoke(main, arguments, env=environ)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def models(importing: Import, tmp_path: Path) -> Callable[[str], dict[str, dict[str, Any]]]:
    """What is stored of a dump, by id."""

    def run(content: str) -> dict[str, dict[str, Any]]:
        importing(content)
        listed = CliRunner().invoke(
            main, ["models", "list", "--json"], env={"GATEWAY_DATA_DIR": str(tmp_path / "data")}
        )
        return {row["id"]: row for row in json.loads(listed.stdout)}

    return run


def row(model_id: str = ID, name: str = "'n'", description: str = "'d'", key: str = "'k'") -> str:
    return f"('{model_id}', '{OWNER}', {name}, {description}, 'm', '{URL}', {key})"


def copied(*lines: str, table: str = "public.models", end: str = "\\.\n") -> str:
    return f"COPY {table} ({COLUMNS}) FROM stdin;\n" + "".join(f"{line}\n" for line in lines) + end


def line(model_id: str = ID, name: str = "n", description: str = "d", key: str = "k") -> str:
    return "\t".join((model_id, OWNER, name, description, "m", URL, key))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'it''s'", "it's"),
        ("'two\nlines; -- no comment'", "two\nlines; -- no comment"),
        (r"'back\slash'", r"back\slash"),
        (r"E'tab\tquote\'backslash\\é octal\101'", "tab\tquote'backslash\\é octalA"),
        ("'cast'::text", "cast"),
        ("'$$ (, ) ; $body$'", "$$ (, ) ; $body$"),
        ("NULL", ""),
        ("''", ""),
        ("42", "42"),
    ],
)
def test_a_value_of_an_insert_is_read_as_postgres_reads_it(models, written, read):
    found = models(f"INSERT INTO public.models ({COLUMNS}) VALUES {row(description=written)};\n")
    assert found[ID]["description"] == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"tab\there", "tab\there"),
        (r"two\nlines", "two\nlines"),
        (r"back\\nslash", r"back\nslash"),
        (r"\\N", r"\N"),
        (r"\101\x42\q", "ABq"),
        (r"\N", ""),
        ("", ""),
        ("'quoted; -- text", "'quoted; -- text"),
    ],
)
def test_a_cell_of_copy_is_read_as_postgres_reads_it(models, written, read):
    assert models(copied(line(description=written)))[ID]["description"] == read


def test_several_rows_and_several_statements_are_read(models):
    text = f'INSERT INTO "public"."models" ({COLUMNS}) VALUES\n\t{row()},\n\t{row(OTHER)}\nON CONFLICT DO NOTHING;'
    assert models(text).keys() == {ID, OTHER}


def test_statements_on_one_line_and_without_a_schema_are_read(models):
    statement = f"insert into models ({COLUMNS}) values"
    assert models(f"BEGIN; {statement} {row()}; {statement} {row(OTHER)}; COMMIT;").keys() == {ID, OTHER}


def test_what_only_looks_like_a_row_is_none(models):
    insert = f"INSERT INTO public.models ({COLUMNS}) VALUES {row(OTHER)};"
    text = f"""
-- {insert}
/* {insert}
{insert} */
\\restrict abc
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN
{insert}
RETURN NEW; END; $_$;
INSERT INTO public.messages (content) VALUES ('
{insert}
');
INSERT INTO gateway.models ({COLUMNS}) VALUES {row(OTHER)};
COPY public.messages (content) FROM stdin;
{insert}
\\.
{copied(line(OTHER), table="gateway.models")}
{copied(line(OTHER), table="auth.models")}
{copied(line())}
"""
    assert models(text).keys() == {ID}


def test_windows_line_ends_are_none_of_a_value(models):
    found = models(copied(line(description="d"), line(OTHER)).replace("\n", "\r\n"))
    assert {one["description"] for one in found.values()} == {"d"}


def test_a_nul_that_would_be_a_reference_is_refused(importing):
    refused = json.loads(importing(copied(line(key=r"\000env:HOME")), code=3).stdout)["rows"][0]
    assert refused["findings"][0]["message"] == "The api_key contains a NUL character: remove it."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (copied(line(), end=""), "line 2: the file ends inside a COPY: it is cut"),
        (f"INSERT INTO models ({COLUMNS}) VALUES ('a\n", "the file ends inside a statement: it is cut"),
        (f"INSERT INTO models ({COLUMNS}) VALUES ('a');\n", "a row has 1 values for 7 columns"),
        (f"INSERT INTO models ({COLUMNS}) VALUES (f(1));\n", "a row of values is not what a dump writes"),
        (f"INSERT INTO models VALUES {row()};\n", "INSERT names no columns: dump again with --column-inserts"),
        (copied(line() + "\textra"), "a row has 8 values for 7 columns"),
        ("SELECT 1;\n", "There is no table models in dump.sql"),
        ("", "There is no table models in dump.sql"),
        (b"PGDMP\x01\x0e\x00rest", "is an archive of pg_dump: make it plain text with `pg_restore --data-only"),
        (b"toc.dat\0" + bytes(504), "is an archive of pg_dump"),
        (gzip.compress(b"COPY", mtime=0), "is compressed: unpack it first"),
        ("COPY".encode("utf-16"), "is UTF-16"),
        (b"\x7fELF\0\0", "is neither a CSV file nor a dump in plain text"),
        ("-- é\n".encode("latin-1"), "is not UTF-8: dump with --encoding=UTF8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_way_out(importing, tmp_path, content, said):
    refused = importing(content, code=1)
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_dump_in_the_directory_format_is_told(tmp_path):
    (tmp_path / "toc.dat").write_bytes(b"PGDMP")
    environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    refused = CliRunner().invoke(main, ["import", "chatbot-ui", "--from", str(tmp_path)], env=environ)
    assert (refused.exit_code, "pg_restore" in refused.stderr) == (1, True)
