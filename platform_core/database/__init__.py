"""The database itself: connections, tables, migrations, the embedded server."""
