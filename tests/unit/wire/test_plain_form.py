"""Forms with files: what is not changed keeps its bytes, and nobody reads another model than the gateway did."""

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.wire.plain import PlainClient
from gateway.wire.plain.form import Form

TYPE = 'multipart/form-data; charset=utf-8; boundary="a b"'


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--a b\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n"


FILE = part(b"file", b"\x00\r\n\r\n--a \xff", b'; filename="name=\\"model\\""\r\nContent-Type: audio/wav')
FORM = part(b"model", b"m") + FILE + part(b"x[]", b"1") + part(b"x[]", b"2") + b"--a b--\r\n"


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def test_texts_are_fields_and_files_are_not() -> None:
    assert {name: msgspec.json.decode(value) for name, value in Form(FORM, TYPE).fields.items()} == {
        "model": "m",
        "x[]": ["1", "2"],
    }


def test_what_does_not_differ_keeps_its_bytes() -> None:
    form = Form(FORM, TYPE)
    assert form.with_fields(form.fields) == FORM
    assert form.with_fields({**form.fields, "model": raw("up")}) == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nup\r\n")


def test_fields_are_added_changed_and_removed() -> None:
    changed = Form(FORM, TYPE).with_fields({"model": raw("m"), "x[]": raw(["3"]), 'n"': raw(1.5), "yes": raw(True)})
    assert {name: msgspec.json.decode(value) for name, value in Form(changed, TYPE).fields.items()} == {
        "model": "m",
        "x[]": "3",
        "n%22": "1.5",
        "yes": "true",
    }
    assert FILE in changed


AMBIGUOUS = {
    "two models": part(b"model", b"a") + part(b"model", b"b") + b"--a b--",
    "a model that is a file": part(b"model", b"a", b'; filename="x"') + b"--a b--",
    "a name twice in one part": b'--a b\r\nContent-Disposition: form-data; name="x"; name="model"\r\n\r\nm\r\n--a b--',
    "a name behind a file's": part(b"model", b"m") + part(b"x", b"m", b'; filename="a"; name="model"') + b"--a b--",
    "a folded line": part(b"model", b"m") + part(b"x", b"m", b'\r\n ; name="model"') + b"--a b--",
    "two dispositions": (
        b'--a b\r\nContent-Disposition: form-data; name="x"\r\n'
        b'Content-Disposition: form-data; name="model"\r\n\r\nm\r\n--a b--'
    ),
    "a name without quotes": b"--a b\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--a b--",
    "no disposition": b"--a b\r\n\r\nm\r\n--a b--",
    "cut short": part(b"model", b"m"),
    "bad UTF-8": part(b"model", b"\xff") + b"--a b--",
    "no model": part(b"x", b"m") + b"--a b--",
    "nothing": b"",
    "too many parts": part(b"model", b"m") + part(b"x", b"") * 1_000 + b"--a b--",
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_form_that_two_readers_could_read_differently_is_refused(what: str) -> None:
    with pytest.raises(InvalidRequest):
        PlainClient("/audio/transcriptions", content_type=TYPE).read_request(AMBIGUOUS[what])


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71])
def test_a_form_without_a_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        PlainClient("/x", content_type="multipart/form-data" + boundary).read_request(FORM)
