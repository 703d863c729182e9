# bare-host.sh ROOT BUNDLE OUTPUT COMMAND...: makes ROOT a host that gives nothing but its kernel, and runs COMMAND, which is
# to enter it. In ROOT, which is read-only, there are /proc, /sys with all that is mounted beneath it, BUNDLE, read-only, at
# "/usb stick", and OUTPUT at /mnt; no environment, and no network but loopback. Needs a mount and a network namespace of
# its own; nothing of ROOT is changed but empty folders to mount on.
root=$1 bundle=$2 output=$3
shift 3
ip link set lo up
mkdir -p "$root/usb stick" "$root/mnt" "$root/proc" "$root/sys"
mount --bind "$root" "$root"
mount --bind "$bundle" "$root/usb stick"
mount -o remount,bind,ro "$root/usb stick"
mount --bind "$output" "$root/mnt"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -o remount,bind,ro "$root"
exec env -i "$@"
