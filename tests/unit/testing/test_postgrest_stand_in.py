"""The PostgREST stand-in answers as a Supabase project does."""

from collections.abc import AsyncIterator

import pytest

from gateway.testing.client import RawClient, RawResponse
from gateway.testing.postgrest import PostgrestStandIn, ScriptedReply, from_transcript

ID = "11111111-1111-4111-8111-111111111111"
OBJECT = ("accept", "application/vnd.pgrst.object+json")


@pytest.fixture
async def project() -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn("secret") as server:
        server.add({"id": ID, "name": "Mock"})
        yield server


async def ask(project: PostgrestStandIn, model_id: str, *headers: tuple[str, str]) -> RawResponse:
    client = RawClient(project.host, project.port)
    sent = [("apikey", "secret"), ("authorization", "Bearer secret"), *headers]
    return await client.request("GET", f"/rest/v1/models?select=*&id=eq.{model_id}", headers=sent)


@pytest.mark.parametrize("spelling", [ID, ID.upper(), ID.replace("-", ""), f"%7B{ID}%7D"])
async def test_a_row_is_found_by_any_spelling_of_its_uuid(project, spelling):
    response = await ask(project, spelling, OBJECT)
    assert (response.status, response.json()) == (200, {"id": ID, "name": "Mock"})


async def test_no_row_is_406_pgrst116(project):
    response = await ask(project, ID.replace("1", "2"), OBJECT)
    assert (response.status, response.json()["code"]) == (406, "PGRST116")
    assert response.json()["message"] == "Cannot coerce the result to a single JSON object"


@pytest.mark.parametrize("malformed", ["abc", "", "undefined"])
async def test_a_malformed_id_is_400_with_postgres_own_words(project, malformed):
    response = await ask(project, malformed, OBJECT)
    assert (response.status, response.json()["code"]) == (400, "22P02")
    assert response.json()["message"] == f'invalid input syntax for type uuid: "{malformed}"'


async def test_without_the_object_type_rows_come_as_a_list(project):
    assert (await ask(project, ID)).json() == [{"id": ID, "name": "Mock"}]


async def test_a_wrong_key_is_refused(project):
    client = RawClient(project.host, project.port)
    response = await client.request("GET", f"/rest/v1/models?select=*&id=eq.{ID}", headers=[("apikey", "other")])
    assert (response.status, response.json()["message"]) == (401, "Invalid API key")


async def test_scripted_replies_stand_before_the_rows(project):
    project.script(ID, from_transcript({"status": 500, "raw": "<html>oops</html>"}))
    response = await ask(project, ID, OBJECT)
    assert (response.status, response.body) == (500, b"<html>oops</html>")
    project.script(ID, from_transcript({"destroy": True}))
    assert (await ask(project, ID, OBJECT)).status is None
    assert from_transcript({"status": 400, "body": {"a": 1}}) == ScriptedReply(status=400, body=b'{"a":1}')


async def test_requests_are_kept(project):
    await ask(project, "abc", OBJECT)
    [request] = project.asked_for("abc")
    assert (request.method, request.target) == ("GET", "/rest/v1/models?select=*&id=eq.abc")
    assert request.header("authorization") == "Bearer secret"
