# shellcheck shell=bash
# `lab status` and `lab env`.

lab_status() {
    local guest glance name state
    require_lab
    printf '%-12s %-10s %s\n' PART STATE WHERE
    if libvirt_answers >/dev/null 2>&1; then state=up; else state=down; fi
    printf '%-12s %-10s %s\n' libvirt "$state" \
        "$LIBVIRT_URI$(if [ -e "$LAB_RUN/libvirtd.pid" ]; then echo ' (started by the lab)'; else echo ' (the host'"'"'s)'; fi)"
    if postgres_answers 2>/dev/null; then state=up; else state=down; fi
    printf '%-12s %-10s %s\n' postgresql "$state" "127.0.0.1:$(postgres_port 2>/dev/null || echo '?')"
    if [ -e "$LAB_DIR/keystone/port" ]; then
        if keystone_answers; then state=up; else state=down; fi
        printf '%-12s %-10s %s\n' keystone "$state" "$(keystone_url)"
    fi
    for glance in "$LAB_DIR"/glance/*/; do
        [ -s "${glance}port" ] || continue
        name=$(basename "$glance")
        if glance_answers "$name"; then state=up; else state=down; fi
        printf '%-12s %-10s %s\n' "glance" "$state" "$(glance_endpoint "$name") ($name)"
    done
    printf '%-12s %-10s %s\n' directory "$(du -sh "$LAB_DIR" 2>/dev/null | cut -f1)" "$LAB_DIR"
    printf '%-12s %-10s %s\n' cache "$(du -sh "$LAB_CACHE" 2>/dev/null | cut -f1)" "$LAB_CACHE"
    printf '\n%-20s %-10s %-10s %s\n' GUEST STATE DISK LOG
    for guest in "$LAB_DIR"/guests/*/; do
        [ -d "$guest" ] || continue
        name=$(basename "$guest")
        state=$(virsh_lab domstate "$(cat "$guest/uuid")" 2>/dev/null | head -n1)
        printf '%-20s %-10s %-10s %s\n' "$name" "${state:-gone}" "$(last_verdict "$name" 2>/dev/null | cut -d' ' -f2 | tr -d :)" "${guest}serial.log"
    done
}

lab_env() {
    local connection
    require_lab
    connection="Host=127.0.0.1;Port=$(postgres_port);Database=snapshots;Username=snapshotapi;Password=$(<"$LAB_DIR/postgres.password")"
    cat <<ENV
export ConnectionStrings__Snapshots='$connection'
export SNAPSHOTAPI_TEST_POSTGRES='$connection'
export Node__LibvirtUri='$LIBVIRT_URI'
export Node__WorkDirectory='$LAB_DIR/work'
export Stores__Default='directory'
export Stores__Directory__Path='$LAB_DIR/store'
export Urls='http://127.0.0.1:5080'
export Socket__Path='$LAB_DIR/run/api.sock'
export Auth__AdminKeyFile='$LAB_DIR/admin.key'
export SNAPSHOTAPI_URL='unix:$LAB_DIR/run/api.sock'
export SNAPSHOTAPI_LAB='$LAB_DIR'
ENV
    if [ -s "$(glance_dir "$GLANCE_MAIN")/port" ]; then
        printf "export Stores__Glance__Endpoint='%s'\n" "$(glance_endpoint "$GLANCE_MAIN")"
    fi
}
