# shellcheck shell=bash
# virtlogd and libvirtd. Daemons that already answer are used and left alone; otherwise the first lab starts them
# and the last one stops them. LAB_RUN/users/ names the labs that use ours.

libvirt_answers() { timeout 10 virsh -q -c "$LIBVIRT_URI" version 8>&-; }

lab_user_file() { echo "$LAB_RUN/users/${LAB_DIR//\//%}"; }

start_libvirt() {
    mkdir -p "$LAB_RUN/users"
    echo "$LAB_DIR" >"$(lab_user_file)"
    libvirt_answers >/dev/null 2>&1 && return 0
    say "starting virtlogd and libvirtd"
    start_virtlogd
    if ! pid_of "$LAB_RUN/libvirtd.pid" libvirtd >/dev/null; then
        rm -f "$LAB_RUN/libvirtd.pid"
        open_kvm
        LIBVIRT_LOG_OUTPUTS="3:file:$LAB_RUN/libvirtd.log" setsid libvirtd -d -p "$LAB_RUN/libvirtd.pid" </dev/null >/dev/null 2>&1 8>&- ||
            die "libvirtd did not start; see $LAB_RUN/libvirtd.log"
    fi
    retry 30 libvirt_answers || die "libvirtd does not answer on $LIBVIRT_URI; see $LAB_RUN/libvirtd.log"
}

# Gives /dev/kvm to the group kvm, as udev does. Where no udev runs it is root's alone, and that costs libvirt seconds at every
# call: it probes QEMU with a capability that opens the device, then finds that QEMU's user can't, takes what it has learned
# for outdated, and probes again. The guests are made without KVM all the same.
open_kvm() {
    [ -c /dev/kvm ] && getent passwd libvirt-qemu >/dev/null || return 0
    if setpriv --reuid libvirt-qemu --regid kvm --init-groups sh -c '[ -r /dev/kvm ] && [ -w /dev/kvm ]'; then return 0; fi
    stat -c '%a %u:%g' /dev/kvm >"$LAB_RUN/kvm"
    chgrp kvm /dev/kvm
    chmod 0660 /dev/kvm
}

# Puts it back as it was.
close_kvm() {
    local mode owner
    [ -e "$LAB_RUN/kvm" ] || return 0
    read -r mode owner <"$LAB_RUN/kvm"
    chmod "$mode" /dev/kvm
    chown "$owner" /dev/kvm
}

# virtlogd keeps the serial logs. Its default cuts them at 2 MiB; the heartbeat of a long run must stay whole.
start_virtlogd() {
    [ -S /run/libvirt/virtlogd-sock ] && pid_of /run/virtlogd.pid virtlogd >/dev/null && return 0
    pid_of "$LAB_RUN/virtlogd.pid" virtlogd >/dev/null && return 0
    rm -f "$LAB_RUN/virtlogd.pid"
    printf 'max_size = 1073741824\nmax_backups = 1\n' >"$LAB_RUN/virtlogd.conf"
    setsid virtlogd -d -f "$LAB_RUN/virtlogd.conf" -p "$LAB_RUN/virtlogd.pid" </dev/null >/dev/null 2>&1 8>&- ||
        say "virtlogd did not start; one may already run"
}

# A lab whose processes were all killed from outside keeps its directory, and its line here, but needs no libvirtd:
# its PostgreSQL tells. `up` and `down` start a libvirtd again when they need one.
is_in_use() {
    [ -e "$1/$LAB_MARKER" ] && pid_of "$1/postgres/data/postmaster.pid" postgres >/dev/null
}

# Takes this lab from the users and stops what the labs started once nobody is left.
stop_libvirt() {
    local user dir pid
    [ -d "$LAB_RUN" ] || return 0
    rm -f "$(lab_user_file)"
    for user in "$LAB_RUN"/users/*; do
        [ -f "$user" ] || continue
        dir=$(<"$user")
        if is_in_use "$dir"; then return 0; fi
        rm -f "$user"
    done
    if pid=$(pid_of "$LAB_RUN/libvirtd.pid" libvirtd); then stop_pid "$pid" 20; fi
    if pid=$(pid_of "$LAB_RUN/virtlogd.pid" virtlogd); then stop_pid "$pid" 20; fi
    close_kvm
    rm -rf "$LAB_RUN"
}
