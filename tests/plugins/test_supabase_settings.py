"""The Supabase section: both values or none, users only when told so, and secrets that are never printed."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway_supabase.settings import Settings

URL, KEY = "https://abc.supabase.co", "service-key-canary"
SECRET = "a-canary-of-exactly-32-bytes-long"[:32]


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


def test_secrets_are_never_printed() -> None:
    settings = Settings(url=URL, service_role_key=KEY, users=True, jwt_secret=SECRET)  # type: ignore[arg-type]
    shown = f"{settings!r} {settings} {settings.project!r} {settings.token_rules!r} {settings.model_dump_json()}"
    assert "canary" not in shown


def test_users_may_call_only_when_told_so() -> None:
    assert Settings(url=URL, service_role_key=KEY).token_rules is None  # type: ignore[arg-type]
    assert Settings(url=URL, users=True).project is None


@pytest.mark.parametrize(
    ("url", "cookie"),
    [
        (URL, "sb-abc-auth-token"),
        ("http://127.0.0.1:54321", "sb-127-auth-token"),
        ("http://Kong:8000/", "sb-kong-auth-token"),
        ("https://db.example.com/supabase", "sb-db-auth-token"),
    ],
)
def test_names_follow_from_the_url_as_they_do_for_the_libraries(url: str, cookie: str) -> None:
    rules = Settings(url=url, users=True).token_rules
    assert rules is not None
    base = url.removesuffix("/")
    assert (rules.issuer, rules.audience, rules.cookie) == (f"{base}/auth/v1", "authenticated", cookie)
    assert (rules.secret, rules.jwks_url) == (None, f"{base}/auth/v1/.well-known/jwks.json")


def test_project_with_a_secret_is_asked_for_keys_only_when_told_where() -> None:
    alone = Settings(url=URL, users=True, jwt_secret=f"{SECRET}\n").token_rules  # type: ignore[arg-type]
    both = Settings(url=URL, users=True, jwt_secret=SECRET, jwks_url=f"{URL}/keys").token_rules  # type: ignore[arg-type]
    assert alone is not None
    assert both is not None
    assert alone.secret is not None
    assert (alone.secret.reveal(), alone.jwks_url) == (SECRET, None)
    assert (both.secret, both.jwks_url) == (alone.secret, f"{URL}/keys")


@pytest.mark.parametrize("secret", ["", " ", "canary", SECRET[:-1], f"{SECRET[:-1]} "])
def test_short_secret_is_refused(secret: str) -> None:
    assert "at least 32 bytes" in refusal(url=URL, users=True, jwt_secret=secret)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"users": True}, "users is set without url"),
        ({"url": URL, "service_role_key": KEY, "jwt_secret": SECRET}, "set users = true"),
        ({"url": URL, "service_role_key": KEY, "jwks_url": URL}, "set users = true"),
        ({"url": URL, "users": True, "jwt_secret": "-----BEGIN PUBLIC KEY-----\ncanary"}, "key pair"),
        ({"url": URL, "users": True, "jwks_url": "abc/keys"}, "is no URL"),
        ({"url": URL, "users": True, "cookie": "a=b"}, "no name for a cookie"),
        ({"url": URL, "users": True, "audience": ""}, "at least 1 character"),
    ],
)
def test_users_settings_that_cannot_be_meant_are_refused(values: dict[str, Any], said: str) -> None:
    assert said in refusal(**values)
