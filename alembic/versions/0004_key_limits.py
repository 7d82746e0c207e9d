"""What a key may take, and whether its answers go on without their client.

Revision 0004, after 0003.
"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def schema() -> str | None:
    """Where the tables live."""
    return None if op.get_bind().dialect.name == "sqlite" else "gateway"


def upgrade() -> None:
    op.add_column("keys", sa.Column("limits", sa.JSON(), server_default="{}", nullable=False), schema=schema())
    op.add_column("keys", sa.Column("detach", sa.Boolean(), server_default=sa.false(), nullable=False), schema=schema())


def downgrade() -> None:
    op.drop_column("keys", "detach", schema=schema())
    op.drop_column("keys", "limits", schema=schema())
