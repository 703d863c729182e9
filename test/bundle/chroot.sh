# chroot.sh ROOT COMMAND...: runs COMMAND in ROOT with nothing but /proc and an empty environment. Needs a mount namespace of its own.
root=$1
shift
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"
exec env -i /usr/sbin/chroot "$root" "$@"
