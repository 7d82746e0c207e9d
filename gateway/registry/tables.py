"""The registry's tables: schema `gateway` on PostgreSQL, no schema on SQLite (by schema_translate_map).

`models` has every column of Chatbot UI's table under the same names and limits, and ours behind them.
Triggers of the migrations count every change of `models`, `keys` and `routes` in `generation`, whoever makes it.
"""

from typing import Final

import sqlalchemy as sa

from gateway.registry.columns import Sealed, Timestamp

SCHEMA: Final = "gateway"
CHANNEL: Final = "gateway_generation"
"""What PostgreSQL notifies on every change."""

metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)


def _limit(column: str, length: int) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"length({column}) <= {length}", name=f"{column}_length")


models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("user_id", sa.Uuid(as_uuid=False), index=True),
    sa.Column("folder_id", sa.Uuid(as_uuid=False)),
    sa.Column("created_at", Timestamp, nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", Timestamp),
    sa.Column("sharing", sa.Text, nullable=False, server_default="private"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("api_key", Sealed),
    sa.Column("context_length", sa.Integer, nullable=False, server_default="4096"),
    sa.Column("provider", sa.Text, nullable=False, server_default="openai"),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("parameters", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("quirks", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("timeouts", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("headers", Sealed),
    sa.Column("prices", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("capabilities", sa.JSON, nullable=False, server_default="[]"),
    _limit("name", 100),
    _limit("description", 500),
    _limit("model_id", 1000),
    _limit("base_url", 1000),
    _limit("provider", 100),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid(as_uuid=False), index=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False, server_default=sa.func.now()),
    sa.Column("expires_at", Timestamp),
    sa.Column("revoked_at", Timestamp),
    sa.Column("limits", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("detach", sa.Boolean, nullable=False, server_default=sa.false()),
    _limit("name", 100),
)

routes = sa.Table(
    "routes",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("user_id", sa.Uuid(as_uuid=False), index=True),
    sa.Column("created_at", Timestamp, nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", Timestamp),
    sa.Column("sharing", sa.Text, nullable=False, server_default="private"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False, server_default="ordered"),
    sa.Column("targets", sa.JSON, nullable=False),
    sa.Column("options", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    _limit("name", 100),
    _limit("strategy", 100),
)
"""Targets are `{"model": ID, "weight": 1.0, "priority": 0, "when": ["tag:NAME"]}`, in their order."""

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", Sealed, nullable=False),
)

usage = sa.Table(
    "usage",
    metadata,
    sa.Column("attempt_id", sa.Text, primary_key=True),
    sa.Column("exchange_id", sa.Text, nullable=False),
    sa.Column("started_at", Timestamp, nullable=False, index=True),
    sa.Column("principal_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("model_name", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("duration", sa.Float, nullable=False),
    sa.Column("first_content", sa.Float),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("error_code", sa.Text),
    sa.Column("provenance", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("cache_read_tokens", sa.BigInteger),
    sa.Column("cache_write_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("deltas", sa.Integer, nullable=False),
    sa.Column("finish_reason", sa.Text),
    sa.Column("cost", sa.Float),
)
"""One row for each attempt, whatever became of it; rows are added and never changed."""
