# shellcheck shell=bash
# Takes a lab away: whatever state an interrupted `up`, `guest` or service left it in.

lab_down() {
    local purge=${1:-} guest
    lock_shared
    if [ -e "$LAB_DIR/$LAB_MARKER" ]; then
        stop_recorded_processes
        # Guests of a lab whose libvirtd died: QEMU still runs, and only libvirt knows all that belongs to it.
        if [ -n "$(ls -A "$LAB_DIR/guests" 2>/dev/null)" ]; then start_libvirt; fi
        for guest in "$LAB_DIR"/guests/*/; do
            [ -d "$guest" ] && remove_guest "$(basename "$guest")"
        done
        stop_strays
        stop_postgres
        unmount_below "$LAB_DIR"
        detach_loops "$LAB_DIR"
        remove_lab_dir
    fi
    stop_libvirt
    unlock_shared
    if [ "$purge" = --purge ]; then purge_cache; fi
}

# Processes that scripts started on the lab's behalf: LAB_DIR/run/NAME.pid holds "PID COMM".
stop_recorded_processes() {
    local file pid comm
    for file in "$LAB_DIR"/run/*.pid; do
        [ -f "$file" ] || continue
        read -r pid comm <"$file" || continue
        [ "$(comm_of "$pid")" != "$comm" ] || stop_pid "$pid" 30
        rm -f "$file"
    done
}

# NBD servers and image tools that a killed service left behind on files of this lab.
stop_strays() {
    local pid
    for pid in $(pgrep -f -- "$LAB_DIR/" || true); do
        case $(comm_of "$pid") in
            qemu-nbd | qemu-img | nbdkit | nbdcopy) stop_pid "$pid" 5 ;;
        esac
    done
}

unmount_below() {
    local mount
    awk -v path="$1" '$2 == path || index($2, path "/") == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r mount; do
        umount "$mount" 2>/dev/null || umount -l "$mount" || say "cannot unmount $mount"
    done
}

# The marker goes last, so that an interrupted removal is taken up again.
remove_lab_dir() {
    find "$LAB_DIR" -xdev -mindepth 1 -maxdepth 1 ! -name "$LAB_MARKER" -exec rm -rf --one-file-system {} + ||
        die "cannot remove all of $LAB_DIR"
    rm -f "$LAB_DIR/$LAB_MARKER"
    rmdir "$LAB_DIR" || die "$LAB_DIR is not empty"
}

# What the lab puts there, and the directory if nothing else is in it.
purge_cache() {
    rm -rf "$LAB_CACHE"/kernel* "$LAB_CACHE"/agent* "$LAB_CACHE/base" "$LAB_CACHE"/initramfs*
    rmdir "$LAB_CACHE" 2>/dev/null || say "$LAB_CACHE holds files that are not the lab's; they stay"
}
