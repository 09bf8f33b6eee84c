# shellcheck shell=bash
# A private PostgreSQL cluster in LAB_DIR/postgres: own data, own socket, own port on 127.0.0.1. The system's
# clusters are neither used nor touched.

postgres_bin() {
    local bin newest=''
    for bin in /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] || continue
        if [ -z "$newest" ] || [ "$(basename "${bin%/bin}")" -gt "$(basename "${newest%/bin}")" ]; then newest=$bin; fi
    done
    [ -n "$newest" ] || die "no PostgreSQL server under /usr/lib/postgresql"
    echo "$newest"
}

# initdb and postgres refuse to run as root.
as_postgres() { (cd / && exec runuser -u postgres -- "$@" 8>&-); }

postgres_port() { cat "$LAB_DIR/postgres/port"; }

postgres_answers() {
    as_postgres "$(postgres_bin)/pg_isready" -q -h "$LAB_DIR/postgres" -p "$(postgres_port)"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_postgres() {
    local home=$LAB_DIR/postgres bin port n
    bin=$(postgres_bin)
    create_cluster "$bin" "$home"
    if as_postgres "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1 && postgres_answers; then return 0; fi
    say "starting PostgreSQL"
    for ((n = 0; n < 20; n++)); do
        # The port of the last run first, so that an exported connection string stays valid.
        if [ $n = 0 ] && [ -s "$home/port" ]; then port=$(<"$home/port"); else port=$((20000 + RANDOM % 10000)); fi
        port_is_free "$port" || continue
        echo "$port" >"$home/port"
        if as_postgres "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w -t 60 \
            -o "-p $port -k $home -c listen_addresses=127.0.0.1" start </dev/null >/dev/null 2>&1; then
            create_database "$bin" "$home" "$port"
            return 0
        fi
    done
    tail -20 "$home/log" >&2
    die "PostgreSQL did not start; its log is $home/log"
}

# An interrupted initdb leaves a directory without the mark that is set last; it is made anew.
create_cluster() {
    local bin=$1 home=$2
    [ -e "$home/created" ] && return 0
    say "creating a private PostgreSQL cluster"
    rm -rf "$home"
    mkdir -p "$home"
    chown postgres:postgres "$home"
    chmod 0755 "$home"
    as_postgres "$bin/initdb" -D "$home/data" --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 \
        --no-sync >"$home/initdb.log" 2>&1 || { tail -20 "$home/initdb.log" >&2; die "initdb failed"; }
    printf '%s\n' 'max_connections = 100' 'log_min_messages = warning' 'log_timezone = UTC' 'timezone = UTC' \
        >>"$home/data/postgresql.conf"
    (umask 077 && random_word >"$LAB_DIR/postgres.password")
    touch "$home/created"
}

create_database() {
    local bin=$1 home=$2 port=$3 password
    password=$(<"$LAB_DIR/postgres.password")
    as_postgres "$bin/psql" -q -v ON_ERROR_STOP=1 -h "$home" -p "$port" -d postgres <<SQL || die "cannot create the database"
SELECT 'CREATE ROLE snapshotapi LOGIN CREATEDB' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'snapshotapi') \gexec
ALTER ROLE snapshotapi PASSWORD '$password';
SELECT 'CREATE DATABASE snapshots OWNER snapshotapi' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'snapshots') \gexec
SQL
}

stop_postgres() {
    local home=$LAB_DIR/postgres pid
    pid=$(pid_of "$home/data/postmaster.pid" postgres) || return 0
    # The pid file of a killed server may name a process of another cluster.
    [ "$(readlink "/proc/$pid/cwd")" = "$home/data" ] || return 0
    as_postgres "$(postgres_bin)/pg_ctl" -D "$home/data" -m fast -w -t 30 stop >/dev/null 2>&1 || stop_pid "$pid" 5
}
