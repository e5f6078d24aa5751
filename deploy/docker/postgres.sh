#!/bin/sh
# Makes the data directory on the first start, then becomes the server. POSTGRES_PASSWORD is the password of the
# role `headrace`, which owns the database `headrace`; a changed one is taken at the next start.
set -eu
: "${POSTGRES_PASSWORD:?is not set}"
umask 077
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"
    initdb -D "$PGDATA.new" -U postgres --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-instructions
    printf '%s\n' 'local all all peer' 'host all all all scram-sha-256' > "$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
fi
# In single-user mode nobody else is connected, and the password goes through no log and no command line.
quoted=$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")
postgres --single -j -D "$PGDATA" -c log_statement=none postgres > /dev/null <<SQL
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'headrace') THEN CREATE ROLE headrace LOGIN; END IF; END \$\$;

ALTER ROLE headrace PASSWORD '$quoted';

SQL
if ! printf "SELECT 'present' FROM pg_database WHERE datname = 'headrace';\n\n" \
    | postgres --single -j -D "$PGDATA" postgres | grep -q present; then
    printf 'CREATE DATABASE headrace OWNER headrace;\n\n' | postgres --single -j -D "$PGDATA" postgres > /dev/null
fi
exec postgres -D "$PGDATA" -k /tmp -c "listen_addresses=*" -c "max_connections=${POSTGRES_MAX_CONNECTIONS:-400}" \
    -c "shared_buffers=${POSTGRES_SHARED_BUFFERS:-128MB}" -c logging_collector=off
