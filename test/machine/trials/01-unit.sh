# The unit: installed, started, held by systemd, stopped, restarted
clean
config <<'JSON'
{ "services": {
  "web": { "command": ["sh", "-c", "trap 'echo web goes; kill $!; exit 0' TERM; echo up; sleep 1000 & wait"], "ready": { "log": "up" }, "dependsOn": ["db"] },
  "db": { "command": ["sh", "-c", "trap 'echo db goes; kill $!; exit 0' TERM; sleep 1; echo up; sleep 1000 & wait"], "ready": { "log": "up" } }
} }
JSON
colos startup --write
same enabled "$(systemctl is-enabled colos)" enabled
systemctl start colos
same "after start" "$(systemctl is-active colos)" active
same web "$(of web state)" ready
web=$(of web pid)
same "cgroup of the daemon" "$(cgroup_of "$(daemon)")" /system.slice/colos.service/colos-daemon
has "cgroup of web" "$(cgroup_of "$web")" /system.slice/colos.service/run.
has abilities "$(colos ps --json)" "the OS kernel holds limits of cpu, memory, pids (cgroup v2)"
systemctl start colos
same "web after another start" "$(of web pid)" "$web"
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :)" inactive
[ ! -e "$unit" ] || fail "the cgroup is left: $(find "$unit" -name cgroup.procs -exec cat {} +)"
[ ! -e "/proc/$web" ] || fail "web lives"
tell "nothing is left in the cgroup"
same "order of the end" "$(colos logs | grep goes | tr -s '\n ' ' ')" "web | web goes db | db goes "
systemctl start colos
systemctl restart colos
same "after restart" "$(systemctl is-active colos), $(of web state)" "active, ready"
