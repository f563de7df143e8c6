#!/bin/sh
# Goes on in the guest's root: mounts what a Linux system has, the shares and the network, then hands over to systemd or
# runs the command itself, as process 1. What was asked for is in /run/vm/settings, written by vm_machine.py.
# shellcheck disable=SC2154    # the settings are variables
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# shellcheck source=/dev/null
. /run/vm/settings
options=trans=virtio,version=9p2000.L,msize=512000

mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -sfn /proc/self/fd /dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -sfn "fd/${number%:*}" "/dev/${number#*:}"; done
mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p "/lib/modules/$release"
mount -t 9p -o "ro,cache=loose,$options" modules "/lib/modules/$release"
# Not cached: what one side writes the other one sees.
while read -r tag mode path; do
    mkdir -p "$path"
    mount -t 9p -o "$mode,cache=none,$options" "$tag" "$path" || echo "guest: no share $path" >/dev/console
done </run/vm/shares

busybox hostname "$hostname"
echo "$hostname" >/etc/hostname
busybox ip link set lo up
if [ -n "$network" ]; then
    modprobe virtio_net
    while ! [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
    [ -z "$address" ] || busybox ip address add "$address" dev eth0
    busybox ip link set eth0 up
    [ -z "$address" ] || echo "${address%/*} $hostname" >>/etc/hosts
fi
for module in $modules; do modprobe "$module"; done

mount_hybrid() {
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    mkdir /sys/fs/cgroup/unified
    mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup/unified
    while read -r name _ _ enabled; do
        if [ "$enabled" = 1 ]; then
            mkdir "/sys/fs/cgroup/$name"
            mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name"
        fi
    done </proc/cgroups
}

if [ -n "$systemd" ]; then
    # It mounts its cgroups itself. It starts the command, and of the host's system only what that needs: a machine for one
    # command does without parts that take seconds, look for devices that are not there, or (tmpfiles) would empty /tmp,
    # where shares of the host may be.
    while read -r unit; do ln -sf /dev/null "/etc/systemd/system/$unit"; done </run/vm/masked-units
    mkdir -p /run/systemd/system
    cp /run/vm/vm-command.service /run/systemd/system/
    # The host may be a container, and its root say so; this is none, and systemd would not read the kernel's command line.
    rm -f /.dockerenv
    exec /lib/systemd/systemd --unit=vm-command.service
fi
if [ -n "$hybrid" ]; then
    mount_hybrid
else
    mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
fi
# shellcheck source=/dev/null
. /run/vm/session.sh
