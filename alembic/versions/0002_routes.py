"""Routes: names that stand for several models.

Revision 0002, after 0001.
"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNT = "BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END"


def schema() -> str | None:
    """Where the tables live."""
    return None if op.get_bind().dialect.name == "sqlite" else "gateway"


def upgrade() -> None:
    op.create_table(
        "routes",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sharing", sa.Text(), server_default="private", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), server_default="ordered", nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.CheckConstraint("length(name) <= 100", name=op.f("ck_routes_name_length")),
        sa.CheckConstraint("length(strategy) <= 100", name=op.f("ck_routes_strategy_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routes")),
        schema=schema(),
    )
    op.create_index(op.f("ix_routes_user_id"), "routes", ["user_id"], schema=schema())
    count_changes()


def count_changes() -> None:
    """As 0001 does for models and keys."""
    if schema():
        op.execute(
            "CREATE TRIGGER count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway.routes "
            "FOR EACH STATEMENT EXECUTE FUNCTION gateway.count_change()"
        )
        return
    for change in ("insert", "update", "delete"):
        op.execute(f"CREATE TRIGGER routes_{change}_counted AFTER {change} ON routes {COUNT}")


def downgrade() -> None:
    op.drop_table("routes", schema=schema())
