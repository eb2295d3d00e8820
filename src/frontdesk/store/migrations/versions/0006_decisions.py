"""What was decided about customers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("human", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("outcome_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reward", sa.Float(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index("ix_decisions_customer_id_at", ["customer_id", "at"], unique=False)
        for name, columns, unique, where in (
            ("uq_decisions_event_id", ["event_id"], True, "event_id IS NOT NULL"),
            ("ix_decisions_outcome_due_at", ["outcome_due_at"], False, "settled_at IS NULL"),
            ("ix_decisions_settled_at", ["settled_at"], False, "settled_at IS NOT NULL"),
        ):
            batch_op.create_index(
                name, columns, unique=unique, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
            )
