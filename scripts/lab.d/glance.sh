# shellcheck shell=bash
# Real Glance servers (Debian's glance-api) without systemd: LAB_DIR/glance/NAME holds all there is of one, its
# process is recorded in LAB_DIR/run/glance-NAME.pid. Each has a file store, a sqlite database and a port of its own.

GLANCE_PACKAGES=(glance-api)
GLANCE_MAIN=main     # the one that `up --glance` starts and `env` names
GLANCE_CLOUD=cloud   # the one of `up --openstack` that is in Keystone's catalog

glance_help() {
    cat <<'TEXT'
NAME
    scripts/lab glance - start, inspect, stop or remove one Glance server of the lab

SYNOPSIS
    scripts/lab glance NAME [--size-cap SIZE] [--quota SIZE] [--keystone]
    scripts/lab glance NAME --endpoint | --pid | --stop | --remove

DESCRIPTION
    Starts a real glance-api on a free port of 127.0.0.1 and prints its endpoint. One that was stopped or killed starts again with
    its images, on its port, with the settings it was made with; one that runs is left alone. `scripts/lab up --glance` starts the
    one named main, `up --openstack` also one named cloud, which asks Keystone. Without --keystone every request has all rights and needs no token.

OPTIONS
    --size-cap SIZE   a larger image is refused: 413 (image_size_cap)
    --quota SIZE      images of more bytes in all are refused: 413 (user_storage_quota)
    --keystone        asks the lab's Keystone who a request is of; needs `scripts/lab up --openstack`
    --endpoint        print the endpoint
    --pid             print the process
    --stop            end it; its images stay
    --remove          end it and delete its images

EXIT STATUS
    0   done        1   failed, the reason is on standard error        64  wrong usage
TEXT
}

glance_command() {
    local name=${1:-} action=start cap='' quota='' keystone=''
    case $name in
        --help | -h) glance_help; return 0 ;;
        '' | -*) usage_error "glance needs a NAME; see 'scripts/lab glance --help'" ;;
    esac
    [[ $name =~ ^[a-z0-9][a-z0-9-]{0,19}$ ]] || usage_error "'$name' is no name for a Glance: small letters, digits, - and at most 20"
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --size-cap | --quota) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
        esac
        case $1 in
            --size-cap) cap=$(bytes "$2"); shift ;;
            --quota) quota=$(bytes "$2"); shift ;;
            --keystone) keystone=1 ;;
            --endpoint | --pid | --stop | --remove) action=${1#--} ;;
            --help | -h) glance_help; return 0 ;;
            *) usage_error "glance knows no '$1'; see 'scripts/lab glance --help'" ;;
        esac
        shift
    done
    require_root
    require_lab
    case $action in
        start)
            lock_shared
            install_packages "${GLANCE_PACKAGES[@]}"
            start_glance "$name" "$cap" "$quota" "$keystone"
            unlock_shared
            glance_endpoint "$name" ;;
        endpoint) glance_endpoint "$name" ;;
        pid) glance_pid "$name" || die "Glance $name does not run" ;;
        stop) stop_glance "$name" ;;
        remove) stop_glance "$name"; rm -rf "$(glance_dir "$name")" ;;
    esac
}

glance_dir() { echo "$LAB_DIR/glance/$1"; }

glance_pid() { recorded_pid "glance-$1"; }

glance_endpoint() {
    [ -s "$(glance_dir "$1")/port" ] || die "there is no Glance $1"
    echo "http://127.0.0.1:$(<"$(glance_dir "$1")/port")"
}

# 401 of one that asks Keystone is an answer, too.
glance_answers() {
    [[ $(curl -s --noproxy '*' -o /dev/null -m 10 -w '%{http_code}' "$(glance_endpoint "$1")/v2/images") == @(200|401) ]]
}

start_glance() {
    local name=$1 home pid port n
    home=$(glance_dir "$name")
    if pid=$(glance_pid "$name"); then
        retry 60 glance_up_or_gone "$name" "$pid" || die "Glance $name runs but does not answer; see $home/api.log"
        if glance_answers "$name"; then return 0; fi
    fi
    say "starting Glance $name"
    mkdir -p "$home"/{images,staging,tasks,lock,conf.d,policy.d}
    chmod 0700 "$LAB_DIR/glance"
    for ((n = 0; n < 5; n++)); do
        # The port of the last run first, so that an exported endpoint stays valid. Glance itself waits 30 s for a port that is taken.
        if [ $n = 0 ] && [ -s "$home/port" ]; then port=$(<"$home/port"); else port=$((20000 + RANDOM % 10000)); fi
        port_is_free "$port" || continue
        echo "$port" >"$home/port"
        [ -e "$home/settings" ] || glance_settings "$2" "$3" "$4" >"$home/settings"
        glance_configuration "$home" "$port" >"$home/glance-api.conf"
        create_glance_database "$home"
        # setsid: Glance signals its whole process group when it ends.
        setsid /usr/bin/glance-api --config-file "$home/glance-api.conf" --config-dir "$home/conf.d" \
            </dev/null >>"$home/out" 2>&1 8>&- &
        pid=$!
        echo "$pid glance-api" >"$LAB_DIR/run/glance-$name.pid"
        if retry 60 glance_up_or_gone "$name" "$pid" && glance_answers "$name"; then return 0; fi
        stop_pid "$pid" 5
    done
    tail -n 20 "$home/out" "$home/api.log" >&2
    die "Glance $name did not start; its log is $home/api.log"
}

glance_up_or_gone() { ! is_alive "$2" || glance_answers "$1"; }

# glance_settings CAP QUOTA KEYSTONE: what distinguishes one Glance from another; kept for its next start.
glance_settings() {
    if [ -n "$1" ]; then echo "image_size_cap = $1"; fi
    if [ -n "$2" ]; then echo "user_storage_quota = ${2}B"; fi
    # Without Keystone the context has no role and no project: Zed's new defaults would answer 403.
    if [ -z "$3" ]; then echo 'enforce_secure_rbac = false'; else echo 'enforce_secure_rbac = true'; keystone_client_settings; fi
}

glance_configuration() {
    local home=$1 port=$2
    cat <<CONF
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $port
# One process: sqlite has one writer, and one pid is easily killed.
workers = 0
log_file = $home/api.log
use_stderr = false
transport_url = fake://
node_staging_uri = file://$home/staging
$(<"$home/settings")
[database]
connection = sqlite:///$home/glance.sqlite?timeout=60
sqlite_synchronous = false
[glance_store]
stores = file,http
default_store = file
filesystem_store_datadir = $home/images
[oslo_policy]
policy_file = $home/policy.yaml
policy_dirs = $home/policy.d
enforce_new_defaults = $(grep -q keystone_authtoken "$home/settings" && echo true || echo false)
[oslo_concurrency]
lock_path = $home/lock
[task]
work_dir = $home/tasks
CONF
    if grep -q keystone_authtoken "$home/settings"; then
        printf '[paste_deploy]\nconfig_file = %s\nflavor = keystone\n' "$home/paste.ini"
        printf '{}\n' >"$home/policy.yaml"
    else
        printf '[paste_deploy]\nconfig_file = %s\n' "$home/paste.ini"
        # The context of the pipeline without authentication is admin but has no role, and these want one.
        printf '"%s": ""\n' publicize_image communitize_image manage_image_cache set_image_location get_image_location \
            delete_image_location >"$home/policy.yaml"
    fi
    cp /usr/share/glance-common/glance-api-paste.ini "$home/paste.ini"
}

# Its hundred migrations take seconds: the first database of a lab is the template of the others.
create_glance_database() {
    local home=$1 template=$LAB_DIR/glance/template.sqlite
    [ -s "$home/glance.sqlite" ] && return 0
    if ! [ -s "$template" ]; then
        /usr/bin/glance-manage --config-file "$home/glance-api.conf" --config-dir "$home/conf.d" --log-file "$home/manage.log" \
            db_sync >"$home/manage.out" 2>&1 8>&- || { tail -20 "$home/manage.out" >&2; die "glance-manage db_sync failed"; }
        cp "$home/glance.sqlite" "$template.new"
        mv "$template.new" "$template"
    fi
    cp "$template" "$home/glance.sqlite"
}

stop_glance() {
    local pid
    if pid=$(glance_pid "$1"); then stop_pid "$pid" 10; fi
    rm -f "$LAB_DIR/run/glance-$1.pid"
}
