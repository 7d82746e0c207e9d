"""The registry: models, virtual keys, the generation counter and the sealed secrets.

Revision 0001, the first.
"""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTED = ("models", "keys")

COUNT = "BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END"
FUNCTION = """
CREATE FUNCTION gateway.count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE gateway.generation SET value = value + 1 WHERE id = 1;
    PERFORM pg_notify('gateway_generation', '');
    RETURN NULL;
END $$
"""


def schema() -> str | None:
    """Where the tables live."""
    return None if op.get_bind().dialect.name == "sqlite" else "gateway"


def upgrade() -> None:
    create_models()
    create_keys()
    generation = op.create_table(
        "generation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_generation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation")),
        schema=schema(),
    )
    op.bulk_insert(generation, [{"id": 1, "value": 1}])
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
        schema=schema(),
    )
    create_triggers()


def create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("folder_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sharing", sa.Text(), server_default="private", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=True),
        sa.Column("context_length", sa.Integer(), server_default="4096", nullable=False),
        sa.Column("provider", sa.Text(), server_default="openai", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("parameters", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("quirks", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("timeouts", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("prices", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("capabilities", sa.JSON(), server_default="[]", nullable=False),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_models_name_length")),
        sa.CheckConstraint("length(description) <= 500", name=op.f("ck_models_description_length")),
        sa.CheckConstraint("length(model_id) <= 1000", name=op.f("ck_models_model_id_length")),
        sa.CheckConstraint("length(base_url) <= 1000", name=op.f("ck_models_base_url_length")),
        sa.CheckConstraint("length(provider) <= 100", name=op.f("ck_models_provider_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        schema=schema(),
    )
    op.create_index(op.f("ix_models_user_id"), "models", ["user_id"], schema=schema())


def create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_keys_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
        schema=schema(),
    )
    op.create_index(op.f("ix_keys_user_id"), "keys", ["user_id"], schema=schema())


def create_triggers() -> None:
    """Count every change, whoever makes it, in the change's own transaction."""
    if schema():
        op.execute(FUNCTION)
        for table in COUNTED:
            op.execute(
                f"CREATE TRIGGER count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway.{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION gateway.count_change()"
            )
        return
    for table in COUNTED:
        for change in ("insert", "update", "delete"):
            op.execute(f"CREATE TRIGGER {table}_{change}_counted AFTER {change} ON {table} {COUNT}")


def downgrade() -> None:
    for table in ("secrets", "generation", "keys", "models"):
        op.drop_table(table, schema=schema())
    if schema():
        op.execute("DROP FUNCTION gateway.count_change()")
