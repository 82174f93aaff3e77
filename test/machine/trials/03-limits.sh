# Limits that the kernel holds for a whole tree
clean
config <<'JSON'
{ "services": {
  "calm": { "command": ["sleep", "1000"] },
  "eater": { "command": ["sh", "-c", "echo up; read -r line; perl -e '$x = \"x\" x 200_000_000; sleep 1000' & wait"], "ready": { "log": "up" }, "limits": { "memoryBytes": "64 MiB" }, "maxRestarts": 3 },
  "busy": { "command": ["sh", "-c", "for n in 1 2 3; do while :; do :; done & done; wait"], "limits": { "cpuPercent": 30 } },
  "forks": { "command": ["sh", "-c", "n=0; while [ $n -lt 40 ]; do sleep 1000 & n=$((n+1)); done; echo all; wait"], "limits": { "pidsMax": 10 }, "restart": "temporary" }
} }
JSON
colos startup --write
systemctl start colos
has "how it is held" "$(colos show eater)" "held by the OS kernel (cgroup v2)"
calm=$(of calm pid)

colos send eater go
await 20 sh -c 'colos why eater | grep -q "OS kernel"'
has why "$(colos why eater)" "the OS kernel ended it, because it needed more than its memory limit of 67108864 bytes"
await 20 is eater ready
same "restarts of eater" "$(of eater restarts)" 1
same "calm is untouched" "$(of calm pid)" "$calm"
same unit "$(systemctl is-active colos)" active

busy=/sys/fs/cgroup$(cgroup_of "$(of busy pid)")
used() { sed -n 's/^usage_usec //p' "$busy/cpu.stat"; }
from=$(used) fromMs=$(date +%s%3N)
sleep 5
percent=$((($(used) - from) / ($(date +%s%3N) - fromMs) / 10))
[ $percent -ge 15 ] && [ $percent -le 36 ] || fail "busy used $percent % of a core"
tell "three endless loops with cpuPercent 30 used $percent % of a core"

has "a fork that is one too many" "$(colos logs forks)" "Cannot fork"
