"""The ground floor: people, audit, catalog, calls with payloads, rollups and text search."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0001"
down_revision = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _index_where(name: str, columns: list[str], only: str) -> None:
    op.create_index(name, "call", columns, sqlite_where=sa.text(only), postgresql_where=sa.text(only))


def upgrade() -> None:
    op.create_table(
        "alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "audit_event",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("before", types.Json(), nullable=True),
        sa.Column("after", types.Json(), nullable=True),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_audit_event_actor", "audit_event", ["actor", "number"], unique=False)
    op.create_index("ix_audit_event_action", "audit_event", ["action", "number"], unique=False)
    op.create_index("ix_audit_event_project", "audit_event", ["project_id", "number"], unique=False)
    op.create_index("ix_audit_event_project_actor", "audit_event", ["project_id", "actor", "number"], unique=False)
    op.create_index("ix_audit_event_project_action", "audit_event", ["project_id", "action", "number"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "backend",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=False),
        sa.Column("key_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("key_env", sa.String(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("price_provider", sa.String(), nullable=False),
        sa.Column("connect_s", sa.Float(), nullable=False),
        sa.Column("first_token_s", sa.Float(), nullable=False),
        sa.Column("between_tokens_s", sa.Float(), nullable=False),
        sa.Column("total_s", sa.Float(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("checked_at", types.UtcDateTime(), nullable=True),
        sa.Column("check_result", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "call",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("error_kind", sa.String(), nullable=False),
        sa.Column("finish_reason", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("end_user", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("model_asked", sa.String(), nullable=False),
        sa.Column("model_served", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("alias_version", sa.Integer(), nullable=True),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("cache", sa.String(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("tokens_cached", sa.Integer(), nullable=False),
        sa.Column("tokens_reasoning", sa.Integer(), nullable=False),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        sa.Column("cost_usd", types.Usd(), nullable=True),
        sa.Column("price_source", sa.String(), nullable=False),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("total_ms", sa.Float(), nullable=False),
        sa.Column("own_ms", sa.Float(), nullable=False),
        sa.Column("upstream_ms", sa.Float(), nullable=False),
        sa.Column("waiting_ms", sa.Float(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("fallbacks", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("response_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index_where("ix_call_end_user", ["project_id", "end_user", "id"], "end_user <> ''")
    _index_where("ix_call_key", ["project_id", "key_id", "id"], "key_id IS NOT NULL")
    op.create_index("ix_call_backend", "call", ["project_id", "backend", "id"], unique=False)
    op.create_index("ix_call_route", "call", ["project_id", "route", "id"], unique=False)
    _index_where("ix_call_alias", ["project_id", "alias", "id"], "alias <> ''")
    op.create_index("ix_call_model", "call", ["project_id", "model_served", "id"], unique=False)
    op.create_index("ix_call_project", "call", ["project_id", "id"], unique=False)
    _index_where("ix_call_request", ["project_id", "request_id"], "request_id <> ''")
    _index_where("ix_call_response", ["project_id", "response_id"], "response_id <> ''")
    _index_where("ix_call_session", ["project_id", "session", "id"], "session <> ''")
    _index_where("ix_call_status", ["project_id", "status", "id"], "status <> 'ok'")
    op.create_table(
        "call_payload",
        sa.Column("call_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("asked", sa.String(), nullable=False),
        sa.Column("answered", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("detail", types.Json(), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_table(
        "call_tag",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "name", "value", "call_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_call_tag_call", "call_tag", ["call_id"], unique=False)
    op.create_table(
        "change_mark",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("end_user", sa.String(), nullable=False),
        sa.Column("thumb", sa.Integer(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("correction", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_feedback_call", "feedback", ["call_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"], unique=False)
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.Column("claims_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_person_identity"),
    )
    op.create_table(
        "playground_run",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("is_draft", sa.Boolean(), nullable=False),
        sa.Column("state", types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_playground_run_actor", "playground_run", ["actor", "id"], unique=False)
    op.create_index(
        "ix_playground_run_draft",
        "playground_run",
        ["actor", "project_id", "id"],
        unique=False,
        sqlite_where=sa.text("is_draft = 1"),
        postgresql_where=sa.text("is_draft"),
    )
    op.create_table(
        "process",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    for name in ("usage_hour", "usage_day"):
        op.create_table(
            name,
            sa.Column("project_id", sa.Integer(), nullable=False),
            sa.Column("dimension", sa.String(), nullable=False),
            sa.Column("value", sa.String(), nullable=False),
            sa.Column("hour", types.UtcDateTime(), nullable=False),
            sa.Column("calls", sa.Integer(), nullable=False),
            sa.Column("errors", sa.Integer(), nullable=False),
            sa.Column("cached", sa.Integer(), nullable=False),
            sa.Column("estimated", sa.Integer(), nullable=False),
            sa.Column("unpriced", sa.Integer(), nullable=False),
            sa.Column("tokens_in", sa.BigInteger(), nullable=False),
            sa.Column("tokens_out", sa.BigInteger(), nullable=False),
            sa.Column("tokens_cached", sa.BigInteger(), nullable=False),
            sa.Column("tokens_reasoning", sa.BigInteger(), nullable=False),
            sa.Column("cost_usd", types.Usd(), nullable=False),
            sa.Column("total_ms", sa.LargeBinary(), nullable=False),
            sa.Column("first_token_ms", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("project_id", "dimension", "hour", "value"),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "alias_version",
        sa.Column("alias_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("steps", types.Json(), nullable=False),
        sa.Column("cache_ttl_s", sa.Integer(), nullable=False),
        sa.Column("answers_by_rules", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"],
            ["alias.id"],
        ),
        sa.PrimaryKeyConstraint("alias_id", "version"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("takes_image", sa.Boolean(), nullable=False),
        sa.Column("takes_audio", sa.Boolean(), nullable=False),
        sa.Column("context_window", sa.Integer(), nullable=True),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backend_id"],
            ["backend.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("backend_id", "name", name="uq_model_name"),
    )
    op.create_table(
        "price",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("starts_at", types.UtcDateTime(), nullable=False),
        sa.Column("input_usd", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.Column("cached_input_usd", sa.Numeric(precision=18, scale=9), nullable=True),
        sa.Column("output_usd", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backend_id"],
            ["backend.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("granted_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_role_grant_person", "role_grant", ["person_id"], unique=False)
    op.execute("INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '')")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TABLE call_text (call_id bigint PRIMARY KEY, project_id integer NOT NULL, words tsvector NOT NULL)"
        )
        op.execute("CREATE INDEX ix_call_text_words ON call_text USING gin (words)")
        op.execute("CREATE INDEX ix_call_text_project ON call_text (project_id, call_id)")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE call_text USING fts5(scope, asked, answered, content='', "
            "tokenize='unicode61 remove_diacritics 2')"
        )
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit_event "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        # INSERT OR REPLACE deletes without asking the trigger on DELETE
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit_event "
            "WHEN EXISTS (SELECT 1 FROM audit_event WHERE number = NEW.number) "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )
