# userland.sh ROOT BUNDLE OUTPUT COMMAND...: runs COMMAND in the Debian at ROOT, with BUNDLE mounted read-only at
# "/usb stick" and OUTPUT at /mnt, without environment and with no network but loopback. Needs a mount and a network
# namespace of its own; nothing of ROOT is changed but empty folders to mount on.
root=$1 bundle=$2 output=$3
shift 3
ip link set lo up
mkdir -p "$root/usb stick"
mount --bind "$bundle" "$root/usb stick"
mount -o remount,bind,ro "$root/usb stick"
mount --bind "$output" "$root/mnt"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
exec env -i /usr/sbin/chroot "$root" "$@"
