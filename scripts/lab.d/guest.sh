# shellcheck shell=bash
# Guests: LAB_DIR/guests/NAME holds all there is of one: uuid, domain.xml, serial.log and its disks.

guest_dir() { echo "$LAB_DIR/guests/$1"; }

guest_help() {
    cat <<'TEXT'
NAME
    scripts/lab guest - make, inspect or remove one guest of the lab

SYNOPSIS
    scripts/lab guest NAME [--paused|--off] [--disk-size SIZE] [--data SIZE] [--no-zeros]
        [--disk-format qcow2|raw|block] [--fs xfs|btrfs|ext4] [--fs-size SIZE] [--chain N] [--disks N] [--writer RATE]
        [--pair] [--beats N] [--agent real|hang|lie|none] [--transient] [--autostart] [--title TEXT]
        [--iothread] [--scsi] [--cdrom] [--memory SIZE] [--wait-for REGEX] [--timeout SECONDS]
    scripts/lab guest NAME --control SCRIPT
    scripts/lab guest NAME --boot-image FILE [--boot-format FORMAT] ...
    scripts/lab guest NAME --log | --verdict | --stalls SECONDS | --remove

DESCRIPTION
    Makes a QEMU guest without KVM (it runs everywhere) that boots in seconds: Debian's cloud kernel and an initramfs of
    the lab's making. The guest checks its file systems and every file on them against the checksums stored beside them
    and prints `DISK OK` or `DISK BAD: ...` on its serial line; then ten lines a second (--beats), `HB COUNTER UPTIME`. The command
    waits for the verdict, and for the guest agent of a guest that has one, and fails when the verdict is bad.

OPTIONS
    --paused             once the verdict is there, suspend the guest
    --off                define it, never start it
    --disk-size SIZE     of the root disk; 2G
    --data SIZE          files on it: a third random, a third text, a third zeros; 300M
    --no-zeros           half random, half text instead
    --disk-format F      qcow2: an overlay over a shared base image (default); raw: a file of its own;
                         block: a loop device over a raw file
    --fs F               put the disks on a file system of their own, xfs, btrfs or ext4, on a loop device
    --fs-size SIZE       of that file system; 1G
    --chain N            layers of the qcow2 chain, base included: 1 to 8; 2
    --disks N            disks altogether: vda, and vdb... of 512M with 30M of data, in the same format; 1
    --writer RATE        bytes a second, written in numbered blocks with fsync; `WR BLOCK HUNDREDTHS` for each on the
                         serial line, `WRITE ERROR` when one failed
    --pair               growing numbers, written alternately to vda and vdb with fsync; `PAIR NUMBER` on the serial line
    --beats N            heartbeats a second, 1 to 10, each of which takes about a hundredth of a processor; 10
    --agent KIND         real: QEMU's guest agent (default); hang: its freeze does not end, nor does it answer anything
                         meanwhile, as long as the guest has the file /run/agent.hang, which it has from the beginning
                         (with /run/agent.fail the freeze fails then, else it freezes, late); lie: it sees no file
                         system, so that it freezes none; none, or --no-agent: no channel. Guests with hang or lie
                         have a channel for --control
    --transient          not defined: gone when it stops
    --autostart          libvirt starts it with the host
    --title TEXT         its title: letters, digits, spaces and ._-
    --iothread           an I/O thread serves its disks, or, with --scsi, their controller
    --scsi               disks on a virtio-scsi controller: sda, sdb... for libvirt; in the guest /mnt/vda is /mnt/sda
    --cdrom              a CD-ROM drive, sda on SATA (sdz with --scsi), with the file cdrom.iso
    --memory SIZE        256M
    --boot-image FILE    boot a private copy of this image instead; it must be standalone: QEMU gets no backing file.
                         Several times: vda, vdb...
    --boot-format F      of these files: qcow2, raw, vmdk, vdi, vhdx; by default by the file's ending
    --wait-for REGEX     wait for a line of the serial log that matches; 'DISK (OK|BAD)'
    --timeout SECONDS    how long; 120
    --log                print the path of the serial log
    --verdict            print the last verdict of the log
    --control SCRIPT     run one line of the shell in a guest that has the channel for it; returns when it has ended
    --stalls SECONDS     watch the heartbeat for so long; print the longest gap in milliseconds
    --remove             destroy and undefine the guest, delete all its files

EXIT STATUS
    0   done, and the verdict is `DISK OK`
    1   anything else; the reason is on standard error
    64  wrong usage
TEXT
}

guest_command() {
    local name=${1:-} action=make
    local state=running size=2G data=300M format=qcow2 chain=2 disks=1 writer=0 agent=real pair=0 beats=10 transient='' memory=256M fs='' fs_size=1G dense=''
    local autostart='' title='' iothread='' scsi='' cdrom='' script=''
    local images=() image_format='' wait_for='DISK (OK|BAD)' timeout=120 seconds=''
    case $name in
        --help | -h) guest_help; return 0 ;;
        '' | -*) usage_error "guest needs a NAME; see 'scripts/lab guest --help'" ;;
    esac
    [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$ ]] || usage_error "'$name' is no name for a guest: letters, digits, ._- and at most 50"
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --disk-size | --data | --disk-format | --fs | --fs-size | --chain | --disks | --writer | --beats | --memory | --boot-image | --boot-format | --wait-for | --timeout | --stalls | --agent | --title | --control)
                [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
        esac
        case $1 in
            --paused) state=paused ;;
            --off) state=off ;;
            --disk-size) size=$2; shift ;;
            --data) data=$2; shift ;;
            --no-zeros) dense=-dense ;;
            --disk-format) format=$2; shift ;;
            --fs) fs=$2; shift ;;
            --fs-size) fs_size=$2; shift ;;
            --chain) chain=$2; shift ;;
            --disks) disks=$2; shift ;;
            --writer) writer=$2; shift ;;
            --pair) pair=1 ;;
            --beats) beats=$2; shift ;;
            --no-agent) agent=none ;;
            --agent) agent=$2; shift ;;
            --transient) transient=1 ;;
            --autostart) autostart=1 ;;
            --title) title=$2; shift ;;
            --iothread) iothread=1 ;;
            --scsi) scsi=1 ;;
            --cdrom) cdrom=1 ;;
            --memory) memory=$2; shift ;;
            --boot-image) images+=("$2"); shift ;;
            --boot-format) image_format=$2; shift ;;
            --wait-for) wait_for=$2; shift ;;
            --timeout) timeout=$2; shift ;;
            --log) action=log ;;
            --verdict) action=verdict ;;
            --stalls) action=stalls; seconds=$2; shift ;;
            --control) action=control; script=$2; shift ;;
            --remove) action=remove ;;
            --help | -h) guest_help; return 0 ;;
            *) usage_error "guest does not know '$1'; see 'scripts/lab guest --help'" ;;
        esac
        shift
    done
    require_lab
    case $action in
        log) guest_log "$name" ;;
        verdict) last_verdict "$name" ;;
        stalls) guest_stalls "$name" "$seconds" ;;
        control) require_root; guest_control "$name" "$script" ;;
        remove) require_root; remove_guest "$name" ;;
        make) require_root; make_guest ;;
    esac
}

# Makes the guest that guest_command's variables describe.
make_guest() {
    local dir
    check_guest_options
    dir=$(guest_dir "$name")
    libvirt_answers >/dev/null 2>&1 || die "libvirtd does not answer on $LIBVIRT_URI: run 'scripts/lab up'"
    if [ -e "$dir" ]; then die "guest $name exists already; remove it with 'scripts/lab guest $name --remove'"; fi
    if virsh_lab domuuid "$name" >/dev/null 2>&1; then die "a domain $name that is not this lab's exists already"; fi
    # The UUID is on disk before libvirt hears of it: `down` finds the guest whenever this is interrupted.
    mkdir -p "$dir"
    chmod 0711 "$LAB_DIR/guests" "$dir"
    cat /proc/sys/kernel/random/uuid >"$dir/uuid"
    provide_kernel "$dir"
    if [ -n "$fs" ]; then (make_file_system "$dir") || give_up "guest $name has no file system for its disks"; fi
    (make_disks "$dir${fs:+/fs}") || give_up "guest $name was not made"
    : >"$dir/serial.log"
    guest_xml "$dir" >"$dir/domain.xml"
    if [ -n "$transient" ]; then
        virsh_lab create "$dir/domain.xml" >/dev/null || give_up "libvirt cannot create the guest"
    else
        virsh_lab define "$dir/domain.xml" >/dev/null || give_up "libvirt cannot define the guest"
        [ -z "$autostart" ] || virsh_lab autostart "$name" >/dev/null || give_up "libvirt cannot mark the guest for autostart"
        if [ $state = off ]; then say "guest $name is defined and off"; return 0; fi
        virsh_lab start "$name" >/dev/null || give_up "libvirt cannot start the guest"
    fi
    wait_for_line "$name" "$wait_for" "$timeout" || {
        tail -n 20 "$dir/serial.log" >&2
        die "guest $name: no line matched '$wait_for' within $timeout s; its log is $dir/serial.log"
    }
    if [ "$agent" != none ] && [ ${#images[@]} = 0 ]; then wait_for_agent "$name" "$timeout" || die "the agent of guest $name does not answer"; fi
    if [ $state = paused ]; then virsh_lab suspend "$name" >/dev/null || die "cannot suspend $name"; fi
    report_verdict "$name"
}

# A guest keeps the files it boots from, whatever becomes of the cache.
link_or_copy() { ln "$1" "$2" 2>/dev/null || cp --reflink=auto --sparse=always "$1" "$2"; }

provide_kernel() {
    lock_shared
    build_initramfs
    link_or_copy "$(initramfs_path)" "$1/initramfs"
    link_or_copy "$LAB_CACHE/kernel/vmlinuz" "$1/vmlinuz"
    unlock_shared
}

# The guest never came to life: nothing of it stays.
give_up() {
    remove_guest "$name"
    die "$*"
}

check_guest_options() {
    [[ $format =~ ^(qcow2|raw|block)$ ]] || usage_error "--disk-format is qcow2, raw or block, not '$format'"
    [[ $chain =~ ^[1-8]$ ]] || usage_error "--chain is 1 to 8, not '$chain'"
    [[ $disks =~ ^[1-8]$ ]] || usage_error "--disks is 1 to 8, not '$disks'"
    [[ $beats =~ ^([1-9]|10)$ ]] || usage_error "--beats is 1 to 10, not '$beats'"
    [[ $timeout =~ ^[0-9]{1,5}$ ]] || usage_error "--timeout is a number of seconds, not '$timeout'"
    [[ $agent =~ ^(real|hang|lie|none)$ ]] || usage_error "--agent is real, hang, lie or none, not '$agent'"
    [[ $title =~ ^[A-Za-z0-9._\ -]{0,80}$ ]] || usage_error "--title is letters, digits, spaces and ._-, not '$title'"
    [ -z "$transient" ] || [ -z "$autostart" ] || usage_error "--transient and --autostart exclude each other"
    [ -z "$transient" ] || [ $state != off ] || usage_error "--transient and --off exclude each other"
    [ ${#images[@]} = 0 ] || disks=${#images[@]}
    [ $pair = 0 ] || [ "$disks" -ge 2 ] || usage_error "--pair needs --disks 2"
    size=$(bytes "$size") || exit
    data=$(bytes "$data") || exit
    fs_size=$(bytes "$fs_size") || exit
    [[ $fs =~ ^(xfs|btrfs|ext4)?$ ]] || usage_error "--fs is xfs, btrfs or ext4, not '$fs'"
    writer=$(bytes "$writer") || exit
    memory=$(bytes "$memory") || exit
    [ "$memory" -ge $((128 << 20)) ] || usage_error "--memory is at least 128M"
}

# A file system of the guest's own on DIRECTORY/fs. Each QEMU lives in a copy of the mounts of the moment it was started:
# below a shared mount, unmounting reaches those copies too; else another guest would keep the file system alive.
make_file_system() {
    truncate -s "$fs_size" "$1/fs.img"
    case $fs in
        xfs) mkfs.xfs -q "$1/fs.img" ;;
        btrfs) mkfs.btrfs -q "$1/fs.img" ;;
        ext4) mkfs.ext4 -q "$1/fs.img" ;;
    esac >&2 || die "cannot make a file system $fs"
    mkdir "$1/fs"
    mount --bind "$1" "$1" && mount --make-shared "$1" && mount -o loop "$1/fs.img" "$1/fs" 8>&- || die "cannot mount a file system $fs"
    chmod 0711 "$1/fs"
}

# Makes the disks; writes their <disk> elements to DIRECTORY/disks.xml.
make_disks() {
    local dir=$1 n target
    for ((n = 0; n < disks; n++)); do
        target=vd$(printf "\\x$(printf %x $((97 + n)))")
        if [ ${#images[@]} -gt 0 ]; then
            copy_image "$dir" "$target" "${images[$n]}"
        elif [ $n = 0 ]; then
            make_disk "$dir" "$target" "$size" "$data"
        else
            make_disk "$dir" "$target" $((512 << 20)) $((30 << 20))
        fi
    done >"$dir/disks.xml"
}

make_disk() {
    local dir=$1 target=$2 base file
    base=$dir/$target.base.qcow2
    provide_base "$3" "$4" "$target$dense" "$base"
    case $format in
        qcow2)
            if [ "$chain" = 1 ]; then
                file=$dir/$target.qcow2
                # Not the shared inode: this one is written.
                cp --reflink=auto --sparse=always "$base" "$file"
                rm "$base"
            else
                file=$(chain_of "$base" "$chain" "$dir" "$target") || exit
            fi
            disk_xml file qcow2 "$file" "$target" ;;
        raw)
            file=$dir/$target.raw
            flat_copy "$base" "$file"
            rm "$base"
            disk_xml file raw "$file" "$target" ;;
        block)
            flat_copy "$base" "$dir/$target.raw"
            rm "$base"
            file=$(losetup --find --show "$dir/$target.raw" 8>&-) || die "no free loop device"
            disk_xml block raw "$file" "$target" ;;
    esac
    rm -f "$base.layers"
}

# The base as a raw file: allocated zeros stay allocated, holes stay holes.
flat_copy() {
    local size
    size=$(qemu-img info -f qcow2 --output=json "$1" | sed -n 's/.*"virtual-size": \([0-9]*\).*/\1/p' | head -n1)
    truncate -s "$size" "$2"
    nbdcopy -S 0 --destination-is-zero -- [ qemu-nbd -r -f qcow2 "$1" ] "$2" 8>&- || die "cannot copy $1 to $2"
}

# A copy, so that the image stays as it is and libvirt never changes its owner.
copy_image() {
    local dir=$1 target=$2 image=$3 type=$image_format
    [ -f "$image" ] || die "no image $image"
    [ -n "$type" ] || type=${image##*.}
    case $type in
        img) type=raw ;;
        qcow2 | raw | vmdk | vdi | vhdx) ;;
        *) die "the format of $image is not plain from its name: give --boot-format" ;;
    esac
    cp --reflink=auto --sparse=always "$image" "$dir/$target.$type"
    disk_xml file "$type" "$dir/$target.$type" "$target" '<backingStore/>'
}

# disk_xml TYPE FORMAT SOURCE TARGET [EXTRA]
disk_xml() {
    local attribute=file target=$4 bus=virtio thread=''
    [ "$1" = file ] || attribute=dev
    if [ -n "$scsi" ]; then
        target=s${4#v} bus=scsi
    elif [ -n "$iothread" ]; then
        thread=" iothread='1'"
    fi
    cat <<XML
    <disk type='$1' device='disk'>
      <driver name='qemu' type='$2'$thread/>
      <source $attribute='$3'/>${5:+
      $5}
      <target dev='$target' bus='$bus'/>
    </disk>
XML
}

# The drive, and the file in it: nothing that a guest needs, but that libvirt opens when it starts one.
cdrom_xml() {
    local drive=sda
    [ -z "$scsi" ] || drive=sdz
    truncate -s 1M "$1/cdrom.iso"
    cat <<XML
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='$1/cdrom.iso'/>
      <target dev='$drive' bus='sata'/>
      <readonly/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
XML
}

guest_xml() {
    local dir=$1 channel='' devices=''
    [ "$agent" = none ] || channel="<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    [[ $agent != @(hang|lie) ]] || channel+="<channel type='unix'><target type='virtio' name='lab.control'/></channel>"
    [ -z "$scsi" ] || devices="<controller type='scsi' index='0' model='virtio-scsi'>${iothread:+<driver iothread='1'/>}</controller>"
    [ -z "$cdrom" ] || devices+=$(cdrom_xml "$dir")
    cat <<XML
<domain type='qemu'>
  <name>$name</name>
  <uuid>$(<"$dir/uuid")</uuid>${title:+
  <title>$title</title>}
  <memory unit='b'>$memory</memory>
  <vcpu>1</vcpu>${iothread:+
  <iothreads>1</iothreads>}
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$dir/vmlinuz</kernel>
    <initrd>$dir/initramfs</initrd>
    <cmdline>console=ttyS0 quiet loglevel=4 panic=-1 rdinit=/init lab.disks=$disks lab.writer=$writer lab.agent=$agent lab.pair=$pair lab.beats=$beats</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='maximum'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
$(<"$dir${fs:+/fs}/disks.xml")
    $devices
    <controller type='usb' model='none'/>
    <serial type='file'><source path='$dir/serial.log' append='on'/><target type='isa-serial' port='0'/></serial>
    $channel
    <memballoon model='none'/>
  </devices>
</domain>
XML
}

# wait_for_line NAME REGEX SECONDS
wait_for_line() {
    local log n
    log=$(guest_dir "$1")/serial.log
    for ((n = 0; n < $3 * 5; n++)); do
        tr -d '\r' <"$log" | grep -aqE -- "$2" && return 0
        if ((n % 10 == 9)) && [ "$(virsh_lab domstate "$1" 2>/dev/null)" != running ]; then return 1; fi
        sleep 0.2
    done
    return 1
}

# wait_for_agent NAME SECONDS: it starts beside the check of the disks, and may come up after the verdict.
wait_for_agent() {
    local n
    for ((n = 0; n < $2 * 5; n++)); do
        virsh_lab qemu-agent-command "$1" '{"execute":"guest-ping"}' >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    return 1
}

guest_log() {
    [ -e "$(guest_dir "$1")/serial.log" ] || die "no guest $1 in this lab"
    echo "$(guest_dir "$1")/serial.log"
}

last_verdict() {
    local log verdict
    log=$(guest_log "$1") || exit
    verdict=$(tr -d '\r' <"$log" | grep -aoE 'DISK (OK|BAD.*)' | tail -n1)
    [ -n "$verdict" ] || die "guest $1 has given no verdict yet"
    echo "$verdict"
    [ "$verdict" = 'DISK OK' ]
}

report_verdict() {
    local verdict
    verdict=$(tr -d '\r' <"$(guest_dir "$1")/serial.log" | grep -aoE 'DISK (OK|BAD.*)' | tail -n1)
    case $verdict in
        'DISK OK') say "guest $1: DISK OK" ; echo 'DISK OK' ;;
        '') say "guest $1 is up; no verdict yet" ;;
        *) tr -d '\r' <"$(guest_dir "$1")/serial.log" | grep -av '^HB ' | tail -n 20 >&2
           echo "$verdict"; return 1 ;;
    esac
}

# guest_control NAME SCRIPT: the guest answers `done` on the channel when the line has been run.
guest_control() {
    local path
    path=$(virsh_lab dumpxml "$1" | sed -n "/name='lab.control'/!{/<source mode='bind'/{s/.*path='\([^']*\)'.*/\1/;h}};/name='lab.control'/{x;p;q}")
    [ -n "$path" ] || die "guest $1 does not run, or has no channel lab.control: make it with --agent hang or --agent lie"
    [[ $2 != *$'\n'* ]] || usage_error "--control takes one line"
    /usr/bin/python3 - "$path" "$2" <<'PYTHON' || die "guest $1 has not done it"
import socket
import sys

with socket.socket(socket.AF_UNIX) as channel:
    channel.settimeout(30)
    channel.connect(sys.argv[1])
    channel.sendall(sys.argv[2].encode() + b"\n")
    answer = b""
    while not answer.endswith(b"done\n"):
        piece = channel.recv(4096)
        if not piece:
            sys.exit(1)
        answer += piece
PYTHON
}

# The longest time between two heartbeats as the host sees them, in ms: a paused guest's own clock stands still.
guest_stalls() {
    local log pid line now last longest=0 end
    [[ $2 =~ ^[0-9]{1,5}$ ]] || usage_error "--stalls is a number of seconds, not '$2'"
    log=$(guest_log "$1") || exit
    exec 7< <(exec tail -n 0 -f "$log")
    pid=$!
    last=${EPOCHREALTIME/./}
    end=$((last + $2 * 1000000))
    while :; do
        now=${EPOCHREALTIME/./}
        [ "$now" -lt "$end" ] || break
        if read -r -t 0.05 -u 7 line && [[ $line == HB* ]]; then now=${EPOCHREALTIME/./}; else line=''; fi
        [ $((now - last)) -le $longest ] || longest=$((now - last))
        [ -z "$line" ] || last=$now
    done
    kill "$pid" 2>/dev/null || true
    exec 7<&-
    echo $((longest / 1000))
}

# Removes all of one guest; goes on whatever fails, so that it can be repeated.
remove_guest() {
    local dir uuid
    dir=$(guest_dir "$1")
    [ -d "$dir" ] || { say "no guest $1 in this lab"; return 0; }
    uuid=$(cat "$dir/uuid" 2>/dev/null || true)
    if [ -n "$uuid" ]; then remove_domain "$1" "$uuid"; fi
    unmount_below "$dir"
    detach_loops "$dir"
    rm -rf --one-file-system "$dir"
}

remove_domain() {
    local name=$1 uuid=$2 pid
    if libvirt_answers >/dev/null 2>&1; then
        virsh_lab destroy "$uuid" >/dev/null 2>&1 || true
        virsh_lab undefine "$uuid" --managed-save --snapshots-metadata --checkpoints-metadata --nvram >/dev/null 2>&1 || true
        if virsh_lab domuuid "$uuid" >/dev/null 2>&1; then say "libvirt still knows the guest $name ($uuid)"; fi
    fi
    # A QEMU that libvirt has lost sight of.
    for pid in $(pgrep -f -- "-uuid $uuid" || true); do
        [ "$(comm_of "$pid")" != qemu-system-x86 ] || stop_pid "$pid" 10
    done
    rm -f "/var/log/libvirt/qemu/$name.log"*
}

# Loop devices on files below a directory, the deleted ones included.
detach_loops() {
    local device file
    losetup --list --noheadings --raw --output NAME,BACK-FILE 2>/dev/null | while read -r device file; do
        case $file in "$1"/*) losetup --detach "$device" || say "cannot detach $device" ;; esac
    done
}
