# shellcheck shell=bash
# The guests' initramfs: static busybox, the scripts in lab.d/guest, the guest agent and e2fsck with the libraries
# they need, and the kernel modules for virtio. Cached under the hash of everything that goes into it.

# In the order in which they depend on each other; ext4 and the serial line are built into Debian's cloud kernel.
GUEST_MODULES=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console
    scsi_common scsi_mod sd_mod virtio_scsi)

initramfs_path() { echo "$LAB_CACHE/initramfs-$(initramfs_key).img"; }

initramfs_key() {
    {
        cat "$LAB_SCRIPTS"/guest/* "$LAB_SCRIPTS/initramfs.sh" "$LAB_CACHE/kernel/version"
        stat -L -c '%n %s %Y' /bin/busybox /sbin/e2fsck
    } | sha256sum | cut -c1-16
}

build_initramfs() {
    local target root
    target=$(initramfs_path)
    [ -s "$target" ] && return 0
    say "building the guests' initramfs"
    root=$LAB_CACHE/initramfs.new
    rm -rf "$root"
    mkdir -p "$root"/{bin,sbin,lab,lib/modules,usr/sbin,dev}
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$LAB_SCRIPTS"/guest/* "$root/lab/"
    mv "$root/lab/init" "$root/init"
    mv "$root/lab/shutdown" "$root/sbin/shutdown"
    chmod 755 "$root/init" "$root"/lab/* "$root/sbin/shutdown"
    copy_modules "$root"
    copy_program "$LAB_CACHE/agent/usr/sbin/qemu-ga" "$root/usr/sbin/qemu-ga" "$root"
    copy_program /sbin/e2fsck "$root/sbin/e2fsck" "$root"
    (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$target.new" || die "cannot build $target"
    rm -rf "$root"
    rm -f "$LAB_CACHE"/initramfs-*.img
    mv "$target.new" "$target"
}

# Debian 13 compresses modules with xz, others with zstd; busybox loads neither.
copy_modules() {
    local module file unpack
    for module in "${GUEST_MODULES[@]}"; do
        file=$(find "$LAB_CACHE/kernel/lib/modules" -name "$module.ko*" | head -n1)
        case $file in
            '') continue ;;   # built in
            *.ko) unpack=(cat) ;;
            *.ko.xz) unpack=(xz -dc) ;;
            *.ko.zst) unpack=(zstd -dcq) ;;
            *) die "the kernel's module $file is compressed in a way that this script does not know" ;;
        esac
        "${unpack[@]}" "$file" >"$1/lib/modules/$module.ko" || die "cannot unpack the module $file"
        echo "$module.ko" >>"$1/lib/modules/order"
    done
}

# copy_program PROGRAM TARGET ROOT: with the libraries that ldd names, at the places where they are found.
copy_program() {
    local library
    cp "$1" "$2"
    ldd "$1" | grep -q 'not found' && die "$1 lacks libraries: $(ldd "$1" | grep 'not found' | tr -s '\t\n' ' ')"
    for library in $(ldd "$1" | grep -o '/[^ ]*'); do
        mkdir -p "$3$(dirname "$library")"
        cp -nL "$library" "$3$library"
    done
}
