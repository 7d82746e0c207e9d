"""Users' tokens, verified by the project's secret and by keys fetched from a real socket through egress."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from supabase_project import ALICE, BOB, SECRET, Signer, SupabaseProject, by_secret, claims, cookies, written

from gateway import Credentials, Principal, Secret, Unauthenticated
from gateway.egress import EgressClient, EgressPolicy
from gateway_supabase.authenticator import UserAuthenticator
from gateway_supabase.keyset import KeySet, KeysUnavailable, NotKeys, read_keys
from gateway_supabase.settings import Settings

ORIGIN = "https://abc.supabase.co"
COOKIE = "sb-abc-auth-token"
OLD, NEW, RSA = Signer.ec("old"), Signer.ec("new"), Signer.rsa("rsa")


class Log:
    """A logger that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _keep(self, event: str, **fields: object) -> None:
        self.lines.append(f"{event} {fields}")

    debug = info = warning = error = _keep


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def egress() -> AsyncIterator[EgressClient]:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    yield client
    await client.aclose()


def authenticator(egress: EgressClient, url: str = ORIGIN, **settings: Any) -> UserAuthenticator:
    rules = Settings(url=url, users=True, **settings).token_rules
    assert rules is not None
    return UserAuthenticator(rules, egress, Log())  # type: ignore[arg-type]


async def known(asked: UserAuthenticator, token: str) -> Principal | None:
    try:
        return await asked.authenticate(Credentials(token=Secret(token)))
    except Unauthenticated:
        return None


# -- the project's secret ---


async def test_user_is_a_principal_that_owns_what_is_theirs_and_may_chat(egress: EgressClient) -> None:
    principal = await known(authenticator(egress, jwt_secret=SECRET), by_secret(claims(ORIGIN)))
    assert principal == Principal(f"supabase:{ALICE}", owner=ALICE, scopes=frozenset({"chat"}))


@pytest.mark.parametrize(
    "changes",
    [{"aud": ["other", "authenticated"]}, {"sub": ALICE.upper()}, {"nbf": 0}, {"role": "app", "is_anonymous": True}],
)
async def test_what_the_project_may_say_too(egress: EgressClient, changes: dict[str, Any]) -> None:
    principal = await known(authenticator(egress, jwt_secret=SECRET), by_secret(claims(ORIGIN, **changes)))
    assert principal is not None
    assert principal.owner == ALICE


FAR = 4_000_000_000
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "expiry is no number": {"exp": "soon"},
    "expiry is infinite": {"exp": float("inf")},
    "not yet": {"nbf": FAR},
    "issued in the future": {"iat": FAR},
    "audience": {"aud": "anon"},
    "no audience": {"aud": None},
    "audience is odd": {"aud": {"authenticated": True}},
    "audience in part": {"aud": "authenticate"},
    "issuer": {"iss": "https://other.supabase.co/auth/v1"},
    "issuer with more": {"iss": f"{ORIGIN}/auth/v1/"},
    "no issuer": {"iss": None},
    "issuer is odd": {"iss": [f"{ORIGIN}/auth/v1"]},
    "no subject": {"sub": None},
    "subject is a name": {"sub": "alice"},
    "subject is empty": {"sub": ""},
    "subject is a number": {"sub": 7},
    "subject with more": {"sub": f"{ALICE}\n"},
    "the anon key": {"iss": "supabase", "ref": "abc", "role": "anon", "sub": None, "aud": None},
    "the service key": {"role": "service_role", "sub": None, "aud": None},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
async def test_other_claims_are_nobodys(egress: EgressClient, changes: dict[str, Any]) -> None:
    said = claims(ORIGIN, **changes)
    token = by_secret(said) if isinstance(said.get("iss"), str) else written({"alg": "HS256"}, said, SECRET.encode())
    assert await known(authenticator(egress, jwt_secret=SECRET), token) is None


async def test_no_change_of_a_good_token_is_good(egress: EgressClient) -> None:
    asked, token = authenticator(egress, jwt_secret=SECRET), by_secret(claims(ORIGIN))
    header, said, signature = token.split(".")
    other = by_secret(claims(ORIGIN, BOB)).split(".")
    truncated = [token[:end] for end in range(0, len(token), 7)]
    tampered = [f"{header}.{other[1]}.{signature}", f"{header}.{said}.{other[2]}", f"{header}.{said}.", token + "A"]
    odd = [f"{header}.{said}", f"{token}.{signature}", f" {token}", f"{token}\n", f"{said}.{header}.{signature}", "..."]
    for wrong in (
        *truncated,
        *tampered,
        *odd,
        by_secret(claims(ORIGIN), "b" * 32),
        by_secret(claims(ORIGIN), SECRET + "a"),
    ):
        assert await known(asked, wrong) is None, wrong
    assert await known(asked, token) is not None


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", "", "HS256 "]
)
async def test_no_other_algorithm_is_taken_from_the_header(egress: EgressClient, algorithm: str) -> None:
    asked = authenticator(egress, jwt_secret=SECRET)
    for key in (SECRET.encode(), None):
        assert await known(asked, written({"alg": algorithm}, claims(ORIGIN), key)) is None


@pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": ["HS256"]}, {"alg": "HS256", "crit": ["x"]}])
async def test_odd_headers_are_nobodys(egress: EgressClient, header: dict[str, Any]) -> None:
    assert (
        await known(authenticator(egress, jwt_secret=SECRET), written(header, claims(ORIGIN), SECRET.encode())) is None
    )


async def test_what_is_not_the_projects_is_left_to_others_and_what_is_bad_is_refused(egress: EgressClient) -> None:
    asked = authenticator(egress, jwt_secret=SECRET)
    others = by_secret(claims(ORIGIN, iss="https://other.example"))
    for token in (others, "gw-something", "a.b.c", "no token at all"):
        assert await asked.authenticate(Credentials(token=Secret(token))) is None
    with pytest.raises(Unauthenticated, match=r"^Missing or invalid API key\.$") as refused:
        await asked.authenticate(Credentials(token=Secret(by_secret(claims(ORIGIN, exp=1)))))
    assert refused.value.__context__ is None, "a library's error may hold what the token says"


async def test_cookie_counts_only_where_no_header_does_and_a_bad_one_stands_in_nobodys_way(
    egress: EgressClient,
) -> None:
    asked = authenticator(egress, jwt_secret=SECRET)
    good, bad = (cookies(COOKIE, by_secret(claims(ORIGIN, exp=exp)))["base64"] for exp in (FAR, 1))
    principal = await asked.authenticate(Credentials(cookie=good))
    assert principal is not None
    assert principal.owner == ALICE
    assert await asked.authenticate(Credentials(cookie=bad)) is None
    assert await asked.authenticate(Credentials(cookie=good, token=Secret("gw-unknown"))) is None


async def test_project_with_other_names_can_be_told(egress: EgressClient) -> None:
    named = {"issuer": "http://localhost:8000", "audience": "app", "cookie": "session"}
    asked = authenticator(egress, "http://kong:8000", jwt_secret=SECRET, **named)
    token = by_secret(claims("", iss="http://localhost:8000", aud="app"))
    assert await known(asked, token) is not None
    assert await asked.authenticate(Credentials(cookie=cookies("session", token)["array"])) is not None
    assert await known(asked, by_secret(claims("http://kong:8000", aud="app"))) is None


# -- its public keys ---


@pytest.mark.parametrize("signer", [OLD, RSA], ids=["ES256", "RS256"])
async def test_published_key_verifies_and_is_fetched_once(egress: EgressClient, signer: Signer) -> None:
    async with SupabaseProject(OLD, RSA) as project:
        asked = authenticator(egress, project.origin)
        token = signer.token(claims(project.origin))
        assert (
            await asyncio.gather(*(known(asked, token) for _ in range(20)))
            == [Principal(f"supabase:{ALICE}", owner=ALICE)] * 20
        )
        assert project.fetches == 1


@pytest.mark.parametrize("signer", [OLD, RSA], ids=["ES256", "RS256"])
async def test_published_key_is_no_secret(egress: EgressClient, signer: Signer) -> None:
    async with SupabaseProject(OLD, RSA) as project:
        said = claims(project.origin)
        both = {"jwt_secret": SECRET, "jwks_url": f"{project.origin}/auth/v1/.well-known/jwks.json"}
        for asked in (authenticator(egress, project.origin), authenticator(egress, project.origin, **both)):
            assert await known(asked, signer.token(said)) is not None
            for how, key in signer.public_bytes().items():
                for algorithm in ("HS256", signer.algorithm):
                    token = written({"alg": algorithm, "kid": signer.key_id, "typ": "JWT"}, said, key)
                    assert await known(asked, token) is None, (how, algorithm)


async def test_key_is_for_its_own_algorithm_and_its_own_id(egress: EgressClient) -> None:
    async with SupabaseProject(OLD, RSA) as project:
        asked = authenticator(egress, project.origin)
        said = claims(project.origin)
        assert await known(asked, OLD._replace(key_id="rsa").token(said)) is None
        assert await known(asked, RSA._replace(key_id="old").token(said)) is None
        assert await known(asked, NEW._replace(key_id="old").token(said)) is None
        assert await known(asked, NEW.token(said)) is None
        assert await known(asked, OLD.token(said, kid=None)) is None
        assert await known(asked, OLD.token(said, kid="")) is None
        assert await known(asked, OLD.token(said)) is not None


async def test_project_with_a_secret_is_not_asked_for_keys(egress: EgressClient) -> None:
    async with SupabaseProject(OLD) as project:
        asked = authenticator(egress, project.origin, jwt_secret=SECRET)
        assert await known(asked, OLD.token(claims(project.origin))) is None
        assert await known(asked, by_secret(claims(project.origin))) is not None
        assert project.fetches == 0


async def test_project_that_changes_from_secret_to_keys_may_have_both(egress: EgressClient) -> None:
    async with SupabaseProject(OLD) as project:
        where = f"{project.origin}/auth/v1/.well-known/jwks.json"
        asked = authenticator(egress, project.origin, jwt_secret=SECRET, jwks_url=where)
        assert await known(asked, OLD.token(claims(project.origin))) is not None
        assert await known(asked, by_secret(claims(project.origin))) is not None


async def test_others_tokens_make_nobody_fetch(egress: EgressClient) -> None:
    async with SupabaseProject(OLD) as project:
        asked = authenticator(egress, project.origin)
        for token in (OLD.token(claims("https://other")), by_secret(claims(project.origin)), "a.b.c"):
            assert await known(asked, token) is None
        assert project.fetches == 0


# -- rotation ---


def keyset(project: SupabaseProject, egress: EgressClient, clock: Clock, *, timeout: float = 10.0) -> KeySet:
    where = f"{project.origin}/auth/v1/.well-known/jwks.json"
    return KeySet(where, egress, Log(), timeout=timeout, clock=clock)  # type: ignore[arg-type]


async def test_new_key_is_known_at_once_and_a_withdrawn_one_is_forgotten(egress: EgressClient) -> None:
    clock = Clock()
    async with SupabaseProject(OLD) as project:
        keys = keyset(project, egress, clock)
        assert await keys.find("old")
        project.publish(OLD, NEW)
        assert await keys.find("new")
        assert await keys.find("old")
        assert project.fetches == 2
        project.publish(NEW)
        clock.now += 599
        assert await keys.find("old")
        clock.now += 2
        assert await keys.find("old") is None
        assert await keys.find("new")
        assert project.fetches == 3


async def test_strangers_cannot_make_us_fetch_at_will(egress: EgressClient) -> None:
    clock = Clock()
    async with SupabaseProject(OLD) as project:
        keys = keyset(project, egress, clock)
        for number in range(200):
            assert await keys.find(f"made up {number}") is None
        assert project.fetches == 5
        assert await keys.find("old")
        clock.now += 60
        project.publish(OLD, NEW)
        assert await keys.find("new")
        for number in range(200):
            assert await keys.find(f"made up {number}") is None
        assert project.fetches <= 10


async def test_keys_are_kept_for_a_day_while_newer_ones_cannot_be_had(egress: EgressClient) -> None:
    clock = Clock()
    async with SupabaseProject(OLD) as project:
        keys = keyset(project, egress, clock)
        assert await keys.find("old")
        project.status = 500
        clock.now += 601
        assert await keys.find("old")
        assert project.fetches == 2
        assert await keys.find("old")
        assert project.fetches == 2  # not at once again
        with pytest.raises(KeysUnavailable):
            await keys.find("new")  # nobody can tell now
        clock.now += 86_400
        with pytest.raises(KeysUnavailable):
            await keys.find("old")
        project.status = 200
        clock.now += 11
        assert await keys.find("old")


@pytest.mark.parametrize("published", [None, [], {}, {"keys": None}, {"keys": {}}, "x" * 300_000])
async def test_answer_without_keys_is_a_failure_and_tells_nobody_in(egress: EgressClient, published: object) -> None:
    async with SupabaseProject() as project:
        project.published = published
        with pytest.raises(KeysUnavailable) as refused:
            await keyset(project, egress, Clock()).find("old")
    assert (refused.value.status, refused.value.message) == (503, "Authentication is not available now.")


async def test_project_that_is_down_or_silent_is_a_failure(egress: EgressClient) -> None:
    async with SupabaseProject(OLD) as project:
        asked = authenticator(egress, project.origin)
        token = OLD.token(claims(project.origin))
        keys = keyset(project, egress, Clock(), timeout=1e-9)
        with pytest.raises(KeysUnavailable):
            await keys.find("old")
    with pytest.raises(KeysUnavailable):
        await asked.authenticate(Credentials(token=Secret(token)))


async def test_guard_decides_about_the_keys_url_too() -> None:
    egress = EgressClient(EgressPolicy())
    async with SupabaseProject(OLD) as project:
        with pytest.raises(KeysUnavailable):
            await keyset(project, egress, Clock()).find("old")
        assert project.accepted == 0
    await egress.aclose()


async def test_client_that_leaves_does_not_end_the_fetch_of_the_others(egress: EgressClient) -> None:
    async with SupabaseProject(OLD) as project:
        keys = keyset(project, egress, Clock())
        first, second = (asyncio.ensure_future(keys.find("old")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second
        assert first.cancelled()
        assert project.fetches == 1


def test_keys_that_cannot_verify_are_left_out() -> None:
    weak, p384 = Signer.rsa("weak", 1024), {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "p384"}
    private = {**OLD.jwk(kid="private"), "d": "AAAA"}
    refused = [
        weak.jwk(),
        p384,
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "HS256"},
        OLD.jwk(kid="for encryption", use="enc"),
        OLD.jwk(kid="other algorithm", alg="HS256"),
        OLD.jwk(kid="no point", x="AAAA"),
        OLD.jwk(kid="no text", x=7),
        OLD.jwk(kid=7),
        RSA.jwk(kid="odd", n=""),
        RSA.jwk(kid=None),
        {"kid": "empty"},
        "key",
        None,
    ]
    body = json.dumps({"keys": [*refused, OLD.jwk(), RSA.jwk(), private]}).encode()
    keys = read_keys(200, body)
    assert {name: key.algorithm for name, key in keys.items()} == {"old": "ES256", "rsa": "RS256", "private": "ES256"}
    assert all(not hasattr(key.key, "sign") for key in keys.values())


@pytest.mark.parametrize(("status", "body"), [(404, b"{}"), (200, b""), (200, b"\xff"), (200, b"[" * 100_000)])
def test_no_set_of_keys_is_told(status: int, body: bytes) -> None:
    with pytest.raises(NotKeys):
        read_keys(status, body)
