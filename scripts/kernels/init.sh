#!/bin/busybox sh
# Process 1 of a guest of the kernel matrix: brings up the least that a capture needs, runs /guest/script under
# GUEST_TIMEOUT seconds (the kernel hands unknown command-line words to init), and sends /results as one tar
# stream over the serial line GUEST_RESULTS, because cloud kernels have neither 9p nor a built-in disk driver.
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /root /results /bin /sbin /etc
/bin/busybox --install -s /bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SHELL=/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t securityfs securityfs /sys/kernel/security
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
hostname guest

cd /root || exit 1
set -o pipefail
# shellcheck disable=SC2086 # a number
timeout -s TERM -k 5 $GUEST_TIMEOUT sh /guest/script 2>&1 | tee /results/.output
echo $? >/results/.status
dmesg >/results/.dmesg

stty -F "$GUEST_RESULTS" raw
tar -c -C /results . >"$GUEST_RESULTS"
reboot -f
