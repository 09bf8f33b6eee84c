# shellcheck shell=bash
# A real Keystone (Debian's package under uwsgi) in LAB_DIR/keystone, for what asks who somebody is: one port on
# 127.0.0.1, a sqlite database, the projects service, demo and other, users, and a catalog for OpenStack's clients:
#   admin      of everything
#   demo       plain member of demo                  other   plain member of other
#   snapshots  a service that looks at tokens and writes images for others, as Nova's own user does
#   snapshotapi   plain member of demo, with an application credential

KEYSTONE_PACKAGES=(keystone uwsgi-core uwsgi-plugin-python3 python3-novaclient python3-openstackclient python3-glanceclient)
KEYSTONE_TOKEN_SECONDS=${SNAPSHOTAPI_LAB_TOKEN_SECONDS:-3600}

keystone_url() { echo "http://127.0.0.1:$(<"$LAB_DIR/keystone/port")/v3"; }

keystone_answers() { [ "$(curl -s --noproxy '*' -o /dev/null -m 10 -w '%{http_code}' "$(keystone_url)")" = 200 ]; }

keystone_password() { cat "$LAB_DIR/keystone/$1.password"; }

# The section by which a Glance asks this Keystone.
keystone_client_settings() {
    [ -s "$LAB_DIR/keystone/port" ] || die "there is no Keystone: run 'scripts/lab up --openstack' first"
    cat <<CONF
[keystone_authtoken]
auth_type = password
auth_url = $(keystone_url)
www_authenticate_uri = $(keystone_url)
project_name = service
project_domain_name = Default
username = glance
user_domain_name = Default
password = $(keystone_password glance)
# Revoked is revoked: no answer of Keystone is kept.
token_cache_time = -1
CONF
}

start_keystone() {
    local home=$LAB_DIR/keystone port pid n name
    if recorded_pid keystone >/dev/null; then
        retry 60 keystone_answers || die "Keystone runs but does not answer; see $home/keystone.log"
        return 0
    fi
    say "starting Keystone"
    mkdir -p "$home"/{fernet-keys,credential-keys,policy.d}
    chmod 0700 "$home"
    for name in admin glance snapshots snapshotapi demo other; do
        [ -s "$home/$name.password" ] || (umask 077 && random_word >"$home/$name.password")
    done
    for ((n = 0; n < 5; n++)); do
        if [ $n = 0 ] && [ -s "$home/port" ]; then port=$(<"$home/port"); else port=$((20000 + RANDOM % 10000)); fi
        port_is_free "$port" || continue
        echo "$port" >"$home/port"
        keystone_configuration "$home" "$port"
        create_keystone_database "$home"
        setsid /usr/bin/uwsgi --ini "$home/uwsgi.ini" </dev/null >>"$home/out" 2>&1 8>&- &
        pid=$!
        echo "$pid uwsgi" >"$LAB_DIR/run/keystone.pid"
        if retry 60 keystone_up_or_gone "$pid" && keystone_answers; then
            fill_keystone "$home" || die "Keystone refused its users; see $home/keystone.log"
            return 0
        fi
        stop_pid "$pid" 5
    done
    tail -n 20 "$home/out" "$home/keystone.log" >&2
    die "Keystone did not start; its log is $home/keystone.log"
}

keystone_up_or_gone() { ! is_alive "$1" || keystone_answers; }

keystone_configuration() {
    local home=$1 port=$2
    printf '{}\n' >"$home/policy.yaml"
    cat >"$home/keystone.conf" <<CONF
[DEFAULT]
log_file = $home/keystone.log
use_stderr = false
public_endpoint = http://127.0.0.1:$port/
transport_url = fake://
[database]
connection = sqlite:///$home/keystone.sqlite?timeout=60
sqlite_synchronous = false
[token]
provider = fernet
expiration = $KEYSTONE_TOKEN_SECONDS
[fernet_tokens]
key_repository = $home/fernet-keys
[credential]
key_repository = $home/credential-keys
[oslo_policy]
policy_file = $home/policy.yaml
policy_dirs = $home/policy.d
[oslo_concurrency]
lock_path = $home
CONF
    # rem-header: as Debian's own configuration, else a kept connection is reset.
    cat >"$home/uwsgi.ini" <<CONF
[uwsgi]
plugins = python3
http-socket = 127.0.0.1:$port
master = true
processes = 1
threads = 1
enable-threads = true
lazy-apps = true
buffer-size = 65535
rem-header = Content-Length
thunder-lock = true
no-orphans = true
die-on-term = true
need-app = true
disable-logging = true
wsgi-file = /usr/bin/keystone-wsgi-public
env = OS_KEYSTONE_CONFIG_FILES=$home/keystone.conf
CONF
}

create_keystone_database() {
    local home=$1 url
    url=$(keystone_url)
    [ -e "$home/created" ] && return 0
    keystone_manage() { /usr/bin/keystone-manage --config-file "$home/keystone.conf" "$@" >>"$home/manage.out" 2>&1 8>&-; }
    keystone_manage db_sync && keystone_manage fernet_setup --keystone-user root --keystone-group root &&
        keystone_manage credential_setup --keystone-user root --keystone-group root &&
        keystone_manage bootstrap --bootstrap-password "$(keystone_password admin)" --bootstrap-username admin \
            --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone \
            --bootstrap-region-id RegionOne --bootstrap-public-url "$url" --bootstrap-internal-url "$url" --bootstrap-admin-url "$url" ||
        { tail -20 "$home/manage.out" >&2; die "keystone-manage failed"; }
    # One request reads in one connection and writes in another: with sqlite's rollback journal they would wait for each other.
    /usr/bin/python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("pragma journal_mode=wal")' "$home/keystone.sqlite" 8>&-
    touch "$home/created"
}

# Users, projects and roles are looked up first, so that a second run changes nothing. The application credential's secret is
# shown once only: it is kept in credential.json.
fill_keystone() {
    /usr/bin/python3 - "$(keystone_url)" "$1" 8>&- <<'PYTHON'
import json, os, sys, urllib.request
url, home = sys.argv[1:]
kept = f'{home}/credential.json'
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
token = None

def ask(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data, {'Content-Type': 'application/json'}, method=method)
    if token:
        request.add_header('X-Auth-Token', token)
    with opener.open(request, timeout=60) as answer:
        text = answer.read()
        return (json.loads(text) if text else None), answer.headers

def log_in(user, password, project):
    domain = {'name': 'Default'}
    return ask('POST', '/auth/tokens', {'auth': {
        'identity': {'methods': ['password'], 'password': {'user': {'name': user, 'domain': domain, 'password': password}}},
        'scope': {'project': {'name': project, 'domain': domain}}}})

def password_of(user):
    with open(f'{home}/{user}.password') as file:
        return file.read().strip()

def find_or_make(kind, find, make):
    for thing in ask('GET', f'/{kind}s')[0][kind + 's']:
        if all(thing.get(key) == value for key, value in find.items()):
            return thing['id']
    return ask('POST', f'/{kind}s', {kind: dict(find, **make)})[0][kind]['id']

token = log_in('admin', password_of('admin'), 'admin')[1]['X-Subject-Token']
roles = {name: find_or_make('role', {'name': name}, {}) for name in ('admin', 'member', 'reader', 'service')}
projects = {name: find_or_make('project', {'name': name, 'domain_id': 'default'}, {}) for name in ('service', 'demo', 'other')}
for name, project, granted in (
        ('glance', 'service', ('admin', 'service')), ('snapshots', 'service', ('admin', 'service')),
        ('snapshotapi', 'demo', ('member', 'reader')), ('demo', 'demo', ('member', 'reader')), ('other', 'other', ('member', 'reader'))):
    user = find_or_make('user', {'name': name, 'domain_id': 'default'}, {'password': password_of(name), 'default_project_id': projects[project]})
    for role in granted:
        ask('PUT', f'/projects/{projects[project]}/users/{user}/roles/{roles[role]}')
if not os.path.exists(kept):
    token = None
    document, headers = log_in('snapshotapi', password_of('snapshotapi'), 'demo')
    token = headers['X-Subject-Token']
    user = document['token']['user']['id']
    made = ask('POST', f'/users/{user}/application_credentials', {'application_credential': {'name': 'snapshotapi'}})[0]
    with open(os.open(kept, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
        json.dump({key: made['application_credential'][key] for key in ('id', 'secret')}, file)
PYTHON
}

# What the clients of OpenStack need: where they log in, and in the catalog, where Glance and Nova are.
write_openrc() {
    local user project
    for user in admin demo other; do
        project=$user
        (umask 077 && cat >"$LAB_DIR/keystone/openrc-$user") <<RC
for name in \$(compgen -e OS_); do unset "\$name"; done
export OS_AUTH_URL=$(keystone_url) OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne OS_INTERFACE=public
export OS_USERNAME=$user OS_PASSWORD=$(keystone_password "$user") OS_PROJECT_NAME=$project OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
RC
    done
}

# set_endpoint TYPE NAME URL: the catalog's only service of that type is there.
set_endpoint() {
    /usr/bin/python3 - "$(keystone_url)" "$(keystone_password admin)" "$@" 8>&- <<'PYTHON' || die "Keystone refused the endpoint $3"
import json, sys, urllib.request
url, password, kind, name, address = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
token = None

def ask(method, path, body=None):
    request = urllib.request.Request(url + path, json.dumps(body).encode() if body is not None else None, {'Content-Type': 'application/json'}, method=method)
    if token:
        request.add_header('X-Auth-Token', token)
    with opener.open(request, timeout=60) as answer:
        text = answer.read()
        return (json.loads(text) if text else None), answer.headers

domain = {'name': 'Default'}
token = ask('POST', '/auth/tokens', {'auth': {
    'identity': {'methods': ['password'], 'password': {'user': {'name': 'admin', 'domain': domain, 'password': password}}},
    'scope': {'project': {'name': 'admin', 'domain': domain}}}})[1]['X-Subject-Token']
found = ask('GET', f'/services?type={kind}')[0]['services']
service = found[0]['id'] if found else ask('POST', '/services', {'service': {'type': kind, 'name': name}})[0]['service']['id']
endpoints = {e['interface']: e for e in ask('GET', f'/endpoints?service_id={service}')[0]['endpoints']}
for interface in ('public', 'internal', 'admin'):
    if interface not in endpoints:
        ask('POST', '/endpoints', {'endpoint': {'service_id': service, 'interface': interface, 'url': address, 'region_id': 'RegionOne'}})
    elif endpoints[interface]['url'] != address:
        ask('PATCH', f"/endpoints/{endpoints[interface]['id']}", {'endpoint': {'url': address}})
PYTHON
}

# start_openstack: Keystone, a Glance that asks it, and the catalog. Where Nova is, `scripts/lab compute` says.
start_openstack() {
    start_keystone
    start_glance "$GLANCE_CLOUD" '' '' 1
    write_openrc
    set_endpoint image glance "$(glance_endpoint "$GLANCE_CLOUD")"
    if ! [ -e "$LAB_DIR/keystone/compute" ]; then set_compute http://127.0.0.1:5080/v2.1; fi
}

set_compute() {
    set_endpoint compute nova "$1"
    echo "$1" >"$LAB_DIR/keystone/compute"
}

# The service's configuration for OpenStack's clients. Guests without Nova's metadata belong to the project demo.
openstack_env() {
    local section demo
    demo=$(
        # shellcheck source=/dev/null
        . "$LAB_DIR/keystone/openrc-admin"
        /usr/bin/openstack project show demo -f value -c id 8>&-
    ) || die "Keystone does not answer"
    echo "export Stores__Glance__Endpoint='$(glance_endpoint "$GLANCE_CLOUD")'"
    for section in Stores__Glance__Keystone Nova__Keystone; do
        echo "export ${section}__Url='$(keystone_url)' ${section}__Username=snapshots ${section}__Project=service"
        echo "export ${section}__PasswordFile='$LAB_DIR/keystone/snapshots.password'"
    done
    echo "export Nova__Projects__${demo}__0='*'"
}
