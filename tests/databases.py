"""Databases with our schema: copied from a template, emptied after a test, and then another test's.

An emptied one is as good as a copy, for a tenth of the work: no row is left, its sequences begin again and nobody is
connected. One whose schema or settings a test has changed, or that many rows went through, is dropped.
"""

from __future__ import annotations

import uuid

import psycopg
from psycopg.sql import SQL, Identifier

from platform_core.database.postgres import EmbeddedPostgres

MOST_ROWS = 5_000
"""Deleted rows stay in their files, and a later test's queries pass over them."""
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'headrace'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
ORDER BY relname
"""
_FORM = """
SELECT (SELECT string_agg(format('%s', c), ' ' ORDER BY c.oid) FROM (
           SELECT oid, relname, relkind, relnatts FROM pg_class WHERE relpersistence <> 't' AND oid >= 16384) AS c),
       (SELECT string_agg(version_num, ' ') FROM headrace.alembic_version),
       (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc),
       (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase IN (
           SELECT oid FROM pg_database WHERE datname = current_database()))
"""
"""What a change of the schema or of the database's settings changes."""
_LEAVE = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_RESTART = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE schemaname = 'headrace' AND last_value IS NOT NULL
"""


class Databases:
    """Copies of one template; those that were given back are lent again."""

    def __init__(self, postgres: EmbeddedPostgres, template: str) -> None:
        self._postgres = postgres
        self._template = template
        self._free: list[str] = []
        with psycopg.connect(postgres.url_of(template)) as connection:
            self._form = self._form_of(connection)
            tables = [Identifier("headrace", name) for (name,) in connection.execute(_TABLES)]
            self._empty = [SQL("DELETE FROM {}").format(table) for table in tables]
            for table in tables:  # rows of a migration would be missing after the first test
                assert connection.execute(SQL("SELECT 1 FROM {}").format(table)).fetchone() is None, table

    def take(self) -> str:
        """The name of a database that is as its template."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex}"
        self._execute(SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"), name, self._template)
        return name

    def give_back(self, name: str) -> None:
        """Empty the database for the next test, or drop it if that would not make it as its template."""
        if self._is_emptied(name):
            self._free.append(name)
        else:
            self._execute(SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def _is_emptied(self, name: str) -> bool:
        with psycopg.connect(self._postgres.url_of(name)) as connection:
            connection.execute(_LEAVE, (name,))
            if self._form_of(connection) != self._form:
                return False
            connection.execute("SET session_replication_role = replica")  # no order of tables, and no triggers
            rows = sum(connection.execute(statement).rowcount for statement in self._empty)
            connection.execute(_RESTART)
        return rows <= MOST_ROWS

    def _form_of(self, connection: psycopg.Connection) -> object:
        try:
            return connection.execute(_FORM).fetchone()
        except psycopg.errors.UndefinedTable:
            return None

    def _execute(self, statement: SQL, *names: str) -> None:
        with psycopg.connect(self._postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(*map(Identifier, names)))
