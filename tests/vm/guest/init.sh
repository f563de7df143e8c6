#!/bin/busybox sh
# The first program of the guest, in its initramfs: makes the host's root, read-only, the lower half of the guest's root,
# whose upper half is memory, and goes on there with boot.sh.
# shellcheck shell=dash
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /lower /upper /root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys

die() {
    echo "guest: no $*" >/dev/console
    poweroff -f
}

for module in /modules/*; do insmod "$module" || die "module $module"; done
# Loose: nobody changes what tests read of the host while they run, and it makes an exec several times faster.
mount -t 9p -o ro,cache=loose,trans=virtio,version=9p2000.L,msize=512000 root /lower || die "root of the host"
mount -t tmpfs -o size=75%,mode=755 upper /upper || die "memory for the root"
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root || die "overlay"
mount -t tmpfs -o mode=755 run /root/run
mkdir -p /root/run/vm /root/run/lock
mount -t 9p -o ro,cache=loose,trans=virtio,version=9p2000.L control /root/run/vm || die "control folder"
for folder in dev sys proc; do mount --move /$folder /root/$folder; done
exec switch_root /root /bin/sh /run/vm/boot.sh
