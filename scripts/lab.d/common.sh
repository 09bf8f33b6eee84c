# shellcheck shell=bash disable=SC2034   # the other parts use these
# Paths, messages, locks and pid files that every verb of scripts/lab shares.
#
# Three places:
#   LAB_DIR    one lab: PostgreSQL, Glance, guests, work directory, image store. `down` removes it whole.
#   LAB_CACHE  kernel, initramfs and base images: shared by all labs, survives `down`.
#   LAB_RUN    the libvirt daemons that a lab started, and which labs use them; gone with the last lab.

export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LAB_DIR=${SNAPSHOTAPI_LAB:-/var/lib/snapshotapi-lab}
LAB_CACHE=${SNAPSHOTAPI_LAB_CACHE:-/var/cache/snapshotapi-lab}
LAB_RUN=${SNAPSHOTAPI_LAB_RUN:-/run/snapshotapi-lab}   # only scripts/faults has one of its own
LIBVIRT_URI=qemu:///system
LAB_MARKER=.snapshotapi-lab   # a directory without it is never removed

say() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }
usage_error() { printf 'lab: %s\n' "$*" >&2; exit 64; }

require_root() {
    [ "$(id -u)" = 0 ] || die "this needs root: libvirt's daemons, loop devices and another user's PostgreSQL are started"
}

require_lab() {
    [ -e "$LAB_DIR/$LAB_MARKER" ] || die "no lab in $LAB_DIR: run 'scripts/lab up' first"
}

# SNAPSHOTAPI_LAB ends up in `rm -rf`, in XML and in unix socket paths (107 bytes at most).
check_lab_dir() {
    check_path SNAPSHOTAPI_LAB "$LAB_DIR"
    check_path SNAPSHOTAPI_LAB_CACHE "$LAB_CACHE"
    LAB_DIR=${LAB_DIR%/}
    [ ${#LAB_DIR} -le 50 ] || die "SNAPSHOTAPI_LAB is longer than 50 bytes; unix sockets inside would be too long: '$LAB_DIR'"
}

check_path() {
    [[ $2 =~ ^(/[A-Za-z0-9._+-]+){2,}/?$ && $2 != *..* ]] ||
        die "$1 must be an absolute path, two levels deep at least, of letters, digits and ._+-: '$2'"
}

# One lock for what labs share: packages, cache, daemons. Held by the cache directory itself, so that no lock
# file is left. Children get the descriptor closed (8>&-), or a daemon would keep the lock for ever.
lock_shared() {
    mkdir -p "$LAB_CACHE"
    exec 8<"$LAB_CACHE"
    flock -w 600 8 || die "another lab command has held the lock on $LAB_CACHE for ten minutes"
}
unlock_shared() { exec 8<&-; }

# pid_of FILE COMM: prints the pid in FILE if a process of that name runs under it.
pid_of() {
    local pid
    pid=$(head -n1 "$1" 2>/dev/null | tr -d ' ')
    [[ $pid =~ ^[0-9]+$ ]] && [ "$(comm_of "$pid")" = "$2" ] && echo "$pid"
}

# recorded_pid NAME: prints the pid in LAB_DIR/run/NAME.pid, which holds "PID COMM", if that process runs.
recorded_pid() {
    local pid comm
    read -r pid comm 2>/dev/null <"$LAB_DIR/run/$1.pid" && [ -n "$comm" ] && [ "$(comm_of "$pid")" = "$comm" ] && is_alive "$pid" && echo "$pid"
}

# One that was killed is there until its parent has taken note of it.
is_alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:[[:space:]]*[ZX]' "/proc/$1/status"; }

comm_of() { cat "/proc/$1/comm" 2>/dev/null || true; }

# stop_pid PID SECONDS: TERM, and KILL when that was not enough.
stop_pid() {
    local n
    kill -TERM "$1" 2>/dev/null || return 0
    for ((n = 0; n < $2 * 10; n++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    say "process $1 did not end within $2 s; killing it"
    kill -KILL "$1" 2>/dev/null || true
}

# A password that needs no quoting anywhere.
random_word() { head -c 24 /dev/urandom | base64 | tr -d '/+=\n'; }

# retry SECONDS COMMAND...: until it succeeds.
retry() {
    local n seconds=$1
    shift
    for ((n = 0; n < seconds * 5; n++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    return 1
}

# bytes 20M: 20971520. Suffixes K, M, G, T are powers of 1024.
bytes() {
    [[ $1 =~ ^([0-9]{1,12})([KMGT]?)$ ]] || usage_error "'$1' is no size; write 512M or 2G"
    case ${BASH_REMATCH[2]} in
        K) echo $((BASH_REMATCH[1] << 10)) ;;
        M) echo $((BASH_REMATCH[1] << 20)) ;;
        G) echo $((BASH_REMATCH[1] << 30)) ;;
        T) echo $((BASH_REMATCH[1] << 40)) ;;
        *) echo $((BASH_REMATCH[1])) ;;
    esac
}

virsh_lab() { virsh -q -c "$LIBVIRT_URI" "$@" 8>&-; }
