# shellcheck shell=bash disable=SC2034,SC2115
# Debian packages, and a guest kernel that is unpacked but never installed.

LAB_PACKAGES=(libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils qemu-block-extra
    libnbd0 libnbd-bin nbdkit postgresql busybox-static cpio xz-utils zstd e2fsprogs xfsprogs btrfs-progs util-linux procps curl jq ca-certificates)

apt_get() {
    env DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true apt-get -y -q \
        -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold --no-install-recommends "$@" 8>&-
}

# Runs apt_get; when it fails the lists are refreshed (a fresh machine has none, an old one names files that are gone).
apt_get_with_update() {
    local log=$1 n
    shift
    apt_get "$@" </dev/null >"$log" 2>&1 && return 0
    for ((n = 0; n < 12; n++)); do
        env apt-get -q -o DPkg::Lock::Timeout=600 update >>"$log" 2>&1 8>&- && break
        sleep 5
    done
    apt_get "$@" </dev/null >>"$log" 2>&1
}

# Installs those of the packages that lack. policy-rc.d keeps dpkg from starting daemons: the lab starts its own.
install_packages() {
    local missing=() package log policy=/usr/sbin/policy-rc.d ours='' rc=0
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    log=$(mktemp)
    if ! [ -e $policy ]; then
        printf '#!/bin/sh\n# scripts/lab\nexit 101\n' >$policy
        chmod 755 $policy
        ours=1
    fi
    apt_get_with_update "$log" install "${missing[@]}" || rc=$?
    [ -z "$ours" ] || rm -f $policy
    if [ $rc != 0 ]; then
        tail -30 "$log" >&2
        die "apt-get install failed ($rc); its log is $log"
    fi
    rm -f "$log"
}

# unpack_package NAME DIRECTORY: downloads a package and unpacks it there, without installing it.
unpack_package() {
    local log="$2.log"
    rm -rf "$2" && mkdir -p "$2/deb"
    (cd "$2/deb" && apt_get_with_update "$log" -o APT::Sandbox::User=root download "$1") ||
        { tail -20 "$log" >&2; die "cannot download the package $1"; }
    dpkg -x "$2"/deb/*.deb "$2" || die "cannot unpack the package $1"
    rm -rf "$2/deb" "$log"
}

# The kernel image and its modules in LAB_CACHE/kernel: {vmlinuz,version,lib/modules/...}.
fetch_kernel() {
    local package tmp=$LAB_CACHE/kernel.new
    [ -s "$LAB_CACHE/kernel/version" ] && return 0
    say "downloading a kernel for the guests"
    # The meta package depends on the current kernel package. Without lists apt-cache knows nothing yet.
    package=$(kernel_package)
    if [ -z "$package" ]; then
        env apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null 2>&1 8>&- || true
        package=$(kernel_package)
    fi
    [ -n "$package" ] || die "apt knows no linux-image-cloud-amd64; is a Debian archive configured?"
    unpack_package "$package" "$tmp"
    mv "$tmp"/boot/vmlinuz-* "$tmp/vmlinuz"
    # Debian 13 has its modules below usr.
    if [ -d "$tmp/usr/lib/modules" ]; then mkdir -p "$tmp/lib" && mv "$tmp/usr/lib/modules" "$tmp/lib/modules"; fi
    rm -rf "$tmp/boot" "$tmp/usr"
    basename "$tmp"/lib/modules/* >"$tmp/version"
    rm -rf "$LAB_CACHE/kernel" && mv "$tmp" "$LAB_CACHE/kernel"
}

kernel_package() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

# The guest agent's program in LAB_CACHE/agent. It runs in guests only, so it is not installed on the host.
fetch_agent() {
    [ -x "$LAB_CACHE/agent/usr/sbin/qemu-ga" ] && return 0
    say "downloading the guest agent"
    unpack_package qemu-guest-agent "$LAB_CACHE/agent.new"
    rm -rf "$LAB_CACHE/agent" && mv "$LAB_CACHE/agent.new" "$LAB_CACHE/agent"
}
