# capture.sh BUNDLE OUTPUT: a capture from a read-only mount of BUNDLE, every file call written to OUTPUT/strace, while
# openssl shakes hands inside a cgroup of its own. Needs a mount namespace of its own.
bundle=$1
output=$2
mount --bind "$bundle" "$bundle"
mount -o remount,bind,ro "$bundle"
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
suspect=$cgroups/tlsnap-bundle-$$
mkdir "$suspect"
# However this ends: whatever still runs in the cgroup is ours, and one that is dying holds it for a moment.
leave() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    while read -r pid; do kill -9 "$pid" 2>/dev/null; done <"$suspect/cgroup.procs"
    rmdir "$suspect" 2>/dev/null && return
    sleep 0.1
  done
  echo "$suspect: is still busy" >&2
}
trap leave EXIT
trap 'exit 143' TERM INT HUP
in_cgroup() {
  sh -c "echo \$\$ >'$suspect/cgroup.procs'; exec \"\$@\"" - "$@"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bundle.example \
  -keyout "$output/key.pem" -out "$output/cert.pem" 2>/dev/null
in_cgroup timeout 60 openssl s_server -accept 127.0.0.1:"$PORT" -cert "$output/cert.pem" -key "$output/key.pem" -quiet >/dev/null 2>&1 &
server=$!
(
  while kill -0 $server 2>/dev/null; do
    in_cgroup timeout 3 openssl s_client -connect 127.0.0.1:"$PORT" -servername bundle.example </dev/null >/dev/null 2>&1
    sleep 0.3
  done
) &

env -u HOME LD_PRELOAD="$output/preloaded.so" strace -f -o "$output/strace" -e trace=%file,%network \
  "$bundle/tlsnap" capture --window 3s --cgroup "$suspect" --output "$output/bundle.tlsnap.tar.gz"
status=$?
exit $status
