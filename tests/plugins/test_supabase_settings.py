"""The Supabase section: both values or none, and a key that is never printed."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway_supabase.settings import Settings

URL, KEY = "https://abc.supabase.co", "service-key-canary"


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    assert "canary" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("nothing", [{}, {"url": "", "service_role_key": ""}, {"url": None, "cache_seconds": 5}])
def test_nothing_set_means_no_project(nothing: dict[str, Any]) -> None:
    assert Settings(**nothing).project is None


def test_both_set_is_a_project() -> None:
    project = Settings(url=f" {URL}/ ", service_role_key=f"{KEY}\n").project  # type: ignore[arg-type]
    assert project is not None
    assert (project.url, project.service_role_key.reveal(), project.cache_seconds) == (URL, KEY, 0)


def test_url_without_key_says_what_is_missing() -> None:
    assert "url is set without service_role_key" in refusal(url=URL)


def test_key_without_url_says_what_is_missing() -> None:
    assert "service_role_key is set without url" in refusal(service_role_key=KEY)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("abc.supabase.co", "is no URL"),
        ("ftp://abc.supabase.co", "must begin with"),
        ("https://user:pass@abc.supabase.co", "credentials"),
        ("https://abc.supabase.co?x=1", "query"),
        ("https://abc.supabase.co#x", "fragment"),
    ],
)
def test_url_that_cannot_be_meant_is_refused(url: str, said: str) -> None:
    assert said in refusal(url=url, service_role_key=KEY)


@pytest.mark.parametrize("key", ["canary\r\nx: 1", "canary key", "canaryключ", "canary\x00"])
def test_key_no_header_can_hold_is_refused(key: str) -> None:
    assert "no HTTP header" in refusal(url=URL, service_role_key=key)


@pytest.mark.parametrize("values", [{"timeout": 0}, {"timeout": -1}, {"cache_seconds": -1}, {"cache": 1}])
def test_senseless_values_are_refused(values: dict[str, Any]) -> None:
    assert refusal(url=URL, service_role_key=KEY, **values)


def test_key_is_never_printed() -> None:
    settings = Settings(url=URL, service_role_key=KEY)  # type: ignore[arg-type]
    assert KEY not in f"{settings!r} {settings} {settings.project!r} {settings.model_dump_json()}"
