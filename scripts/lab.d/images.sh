# shellcheck shell=bash
# Base images: an ext4 file system without partition table, with files and the list of their checksums, made once
# per size and cached. A third of the data is random, a third compresses well, a third is zeros that are allocated; of a
# dense one, half is random and half compresses well.

LAYER_FILES=6          # so many layers a chain may have between base and top
LAYER_BYTES=1048576

# provide_base DISK_BYTES DATA_BYTES KIND TARGET: puts the base image (qcow2, to be read only) and the places of its
# layer files (TARGET.layers) there. Disks of different kinds have different random data; a kind NAME-dense has no zeros.
provide_base() {
    local base=$LAB_CACHE/base/$3-$1-$2.qcow2
    lock_shared
    base_is_current "$base" || build_base "$1" "$2" "$3" "$base"
    link_or_copy "$base" "$4"
    link_or_copy "$base.layers" "$4.layers"
    unlock_shared
}

images_version() { sha256sum <"$LAB_SCRIPTS/images.sh" | cut -c1-16; }
base_is_current() { [ -s "$1" ] && [ "$(cat "$LAB_CACHE/base/version" 2>/dev/null)" = "$(images_version)" ]; }

build_base() {
    local disk=$1 data=$2 kind=$3 base=$4 parts=3 tree raw
    [ "$data" -le $((disk - disk / 8 - (64 << 20))) ] || die "$data bytes of data do not fit on a disk of $disk bytes"
    say "building the base image $(basename "$base")"
    [ "$(cat "$LAB_CACHE/base/version" 2>/dev/null)" = "$(images_version)" ] || rm -rf "$LAB_CACHE/base"
    mkdir -p "$LAB_CACHE/base"
    tree=$LAB_CACHE/base/tree.new raw=$LAB_CACHE/base/raw.new
    rm -rf "$tree" "$raw" && mkdir -p "$tree/lab"
    case $kind in *-dense) parts=2 ;; esac
    write_files "$tree/lab" $((data / parts / 4096 * 4096)) $parts "$kind"
    truncate -s "$disk" "$raw"
    mke2fs -q -F -t ext4 -b 4096 -m 0 -L "$kind" -E lazy_itable_init=0,lazy_journal_init=0 -d "$tree" "$raw" ||
        die "mke2fs failed"
    [ $parts = 2 ] || zero_file "$raw" /lab/zero
    layer_offsets "$raw" >"$base.layers"
    qemu-img create -q -f qcow2 "$base.new" "$disk" || die "cannot create $base"
    # nbdcopy -S 0 keeps zeros that are allocated as allocated clusters; qemu-img convert would drop them.
    nbdcopy -S 0 "$raw" -- [ qemu-nbd -f qcow2 "$base.new" ] 8>&- || die "cannot write $base"
    rm -rf "$tree" "$raw"
    images_version >"$LAB_CACHE/base/version"
    mv "$base.new" "$base"
}

# The files of a disk. "zero" is first written as 0xff, else mke2fs would make a hole of it.
write_files() {
    local dir=$1 size=$2 parts=$3 n
    head -c "$size" /dev/urandom >"$dir/random"
    yes "the quick brown fox of $4 jumps over the lazy dog" | head -c "$size" >"$dir/text"
    [ "$parts" = 2 ] || head -c "$size" /dev/zero | tr '\0' '\377' >"$dir/zero"
    for ((n = 1; n <= LAYER_FILES; n++)); do
        layer_content base "$n" >"$dir/layer$n"
        layer_sum base "$n" >"$dir/layer$n.sum"
    done
    {
        (cd "$dir" && sha256sum random text)
        [ "$parts" = 2 ] || echo "$(head -c "$size" /dev/zero | sha256sum | cut -d' ' -f1)  zero"
    } >"$dir/SUMS"
}

# What the file layerN holds in the base ("base"), and once layer N of a chain has overwritten it ("layer").
layer_content() { yes "the $1 wrote this into the file layer$2" | head -c $LAYER_BYTES; }

# Its checksum, filled up to one block with empty lines (which the checker skips) so that it too is overwritten in place.
layer_sum() {
    { echo "$(layer_content "$1" "$2" | sha256sum | cut -d' ' -f1)  layer$2"; yes ''; } | head -c 4096
}

# extents_of RAW FILE: the first and the last 4 KiB block of each extent.
extents_of() {
    debugfs -R "dump_extents $2" "$1" 2>/dev/null | tr '/' ' ' | awk '$1 == $2 && $1 ~ /^[0-9]+$/ { print $8, $10 }'
}

# Overwrites the file's blocks with zeros: allocated, and full of nothing.
zero_file() {
    local from to
    extents_of "$1" "$2" | while read -r from to; do
        dd if=/dev/zero of="$1" bs=4096 seek="$from" count=$((to - from + 1)) conv=notrunc status=none
    done
}

# Where layerN and layerN.sum lie on the disk: lines "N OFFSET SUM_OFFSET", in bytes.
layer_offsets() {
    local n from to sum
    for ((n = 1; n <= LAYER_FILES; n++)); do
        read -r from to < <(extents_of "$1" "/lab/layer$n")
        [ $(((to - from + 1) * 4096)) = $LAYER_BYTES ] || die "layer$n is not in one piece on the new file system"
        read -r sum _ < <(extents_of "$1" "/lab/layer$n.sum")
        echo "$n $((from * 4096)) $((sum * 4096))"
    done
}

# chain_of BASE LAYERS DIRECTORY NAME: makes the layers over the base; prints the top one. Each layer between base and
# top carries data of its own: it overwrites one file and that file's checksum.
chain_of() {
    local below=$1 layers=$2 directory=$3 name=$4 n file
    for ((n = 1; n < layers; n++)); do
        file=$directory/$name.layer$n.qcow2
        if [ $n = $((layers - 1)) ]; then file=$directory/$name.qcow2; fi
        qemu-img create -q -f qcow2 -F qcow2 -b "$below" "$file" || die "cannot create $file"
        if [ $n -lt $((layers - 1)) ]; then fill_layer "$1" "$n" "$file" "$directory"; fi
        below=$file
    done
    echo "$below"
}

fill_layer() {
    local n offset sum_offset file=$3 directory=$4
    while read -r n offset sum_offset; do
        [ "$n" = "$2" ] || continue
        layer_content layer "$n" >"$directory/content"
        layer_sum layer "$n" >"$directory/sum"
        qemu-io -f qcow2 -c "write -q -s $directory/content $offset $LAYER_BYTES" \
            -c "write -q -s $directory/sum $sum_offset 4096" "$file" >/dev/null || die "cannot write $file"
        rm -f "$directory/content" "$directory/sum"
    done <"$1.layers"
}
