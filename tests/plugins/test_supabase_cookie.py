"""The session cookie in all the forms in which the Supabase libraries write it, and in those that nobody writes."""

import json
from pathlib import Path

import pytest
from supabase_project import cookies

from gateway_supabase.cookie import access_token

NAME = "sb-abc-auth-token"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
FORMS = cookies(NAME, TOKEN)
RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "supabase_cookies.json").read_text("utf-8"))
"""Written by the libraries themselves, a short session and a long one each."""


@pytest.mark.parametrize("form", FORMS)
def test_token_is_found_in_every_form(form: str) -> None:
    assert access_token(FORMS[form], NAME) == TOKEN


@pytest.mark.parametrize("recorded", RECORDED["written"], ids=lambda one: f"{one['library']} {one['long']}")
def test_what_the_libraries_wrote_is_read(recorded: dict[str, str]) -> None:
    assert access_token(recorded["header"], RECORDED["name"]) == RECORDED["token"]


@pytest.mark.parametrize("form", FORMS)
def test_token_of_another_project_is_not_found(form: str) -> None:
    assert access_token(FORMS[form], "sb-other-auth-token") is None
    assert access_token(FORMS[form], "sb-ab") is None


def test_token_of_many_headers_long_is_found() -> None:
    token = f"a.{'b' * 20_000}.c"
    assert {access_token(header, NAME) for header in cookies(NAME, token).values()} == {token}


def test_the_first_of_two_cookies_counts_as_it_does_for_the_libraries() -> None:
    first, second = cookies(NAME, TOKEN)["base64"], cookies(NAME, "other")["base64"]
    assert access_token(f"{first}; {second}", NAME) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        "",
        ";;;",
        NAME,
        f"{NAME}=",
        f"{NAME}.1={TOKEN}",
        f"{NAME}={TOKEN}",
        f"{NAME}=%",
        f"{NAME}=%ff%fe",
        f"{NAME}=base64-",
        f"{NAME}=base64-%%%",
        f"{NAME}=base64-é",
        f"{NAME}=base64-gA",
        f"{NAME}=base64-{'A' * 1001}",
        f"{NAME}=null",
        f"{NAME}=[]",
        f"{NAME}=[1]",
        f"{NAME}=[[%22a%22]]",
        f"{NAME}=7",
        f'{NAME}="',
        f"{NAME}=%22a%22",
        f"{NAME}={{}}",
        f"{NAME}=%7B%22access_token%22:null%7D",
        f"{NAME}=%7B%22access_token%22:%22a%22%7D%7D",
        f"{NAME}={'[' * 50_000}",
        f"{NAME}=\xff\ud800",
        f"{NAME}.0=%7B%22access_token%22:; {NAME}.2=%22a%22%7D",
    ],
)
def test_anything_else_is_no_session(header: str) -> None:
    assert access_token(header, NAME) is None
