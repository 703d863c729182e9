# What a guest of the kernel matrix does: asks the verifier about the object, then captures while openssl shakes hands
# with itself inside a cgroup of its own, then has the flight recorder do the same. Everything that the host judges by is left
# in /results.
tlsnap=/opt/tlsnap/tlsnap
suspect=/sys/fs/cgroup/suspect
stamp() {
  echo "$(cut -d ' ' -f 1 /proc/uptime) s: $*"
}

stamp the verifier is asked
# Under lockdown=confidentiality nothing may probe kernel memory: capture's own tier for it is asked about.
grep -q '\[none\]' /sys/kernel/security/lockdown || tier="--set tlsnap_task_btf=1 --set tlsnap_probe_read=0"
# shellcheck disable=SC2086 # words
/guest/load-object $tier /opt/tlsnap/app/bpf/build/tlsnap.bpf.o >/results/verifier
echo $? >/results/verifier.status
# The second object is for kernels that have this function.
if grep -q ' bpf_cast_to_kern_ctx$' /proc/kallsyms; then
  # shellcheck disable=SC2086 # words
  /guest/load-object $tier /opt/tlsnap/app/bpf/build/tlsnap-direct.bpf.o >/results/verifier-direct
  echo $? >/results/verifier-direct.status
fi

stamp the doctor is asked
$tlsnap doctor --json >/results/doctor.json 2>/results/doctor.stderr
echo $? >/results/doctor.status

stamp capture starts
mkdir $suspect
sh -c "echo \$\$ >$suspect/cgroup.procs; echo \$\$ >/results/server.pid
  exec openssl s_server -accept 4433 -cert /guest/cert.pem -key /guest/key.pem -alpn h2 -quiet" >/dev/null 2>&1 &

$tlsnap capture --window 10s --cgroup $suspect --output /results/guest.tlsnap.tar.gz --json \
  >/results/capture.json 2>/results/capture.stderr &
capture=$!

# Emulated, tlsnap takes long to arm: the clients wait for its programs, and come until it is done.
# Asked of the links, which are all capture's here: on 5.10 bpftool fails to list a cgroup's programs.
attached() {
  bpftool link list | grep -q cgroup
}
while kill -0 $capture 2>/dev/null && ! attached; do sleep 1; done
stamp capture is armed
while kill -0 $capture 2>/dev/null && attached; do
  sh -c "echo \$\$ >$suspect/cgroup.procs; echo \$\$ >>/results/client.pids
    exec timeout 5 openssl s_client -connect 127.0.0.1:4433 -servername guest.example -alpn h2" </dev/null >/dev/null 2>&1
  sleep 0.3
done
stamp the window is over
wait $capture
echo $? >/results/capture.status
stamp capture ended

$tlsnap record start --cgroup $suspect --memory 1MiB --json >/results/record-start.json 2>&1
echo $? >/results/record-start.status
ps -o args | grep '[t]lsnap/runtime' >/results/record-processes
stamp recorder runs
sh -c "echo \$\$ >$suspect/cgroup.procs; echo \$\$ >/results/recorded.pid
  exec timeout 20 openssl s_client -connect 127.0.0.1:4433 -servername guest.example -alpn h2" </dev/null >/dev/null 2>&1
$tlsnap record status --json >/results/record-status.json 2>&1
$tlsnap record dump --output /results/recorder.tlsnap.tar.gz --json >/results/record-dump.json 2>&1
echo $? >/results/record-dump.status
stamp recorder is dumped
$tlsnap record stop >/results/record-stop 2>&1
echo $? >/results/record-stop.status
stamp recorder is stopped

bpftool prog list >/results/programs.after
bpftool link list >/results/links.after
