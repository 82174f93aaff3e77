# Faults that need a real machine: oom-kill in the cgroup of a run, disk-full on a mount
clean
umount /mnt/home 2>/dev/null || :
mkdir -p /mnt/home
truncate -s 200M /var/tmp/home.img
mkfs.ext4 -q -F /var/tmp/home.img
mount -o loop /var/tmp/home.img /mnt/home
chmod 700 /mnt/home
rmdir /mnt/home/lost+found
export COLOS_HOME=/mnt/home
config <<'JSON'
{ "services": {
  "eater": { "command": ["perl", "-e", "$| = 1; print qq(up\\n); while (1) { push @x, q(x) x 100_000; select undef, undef, undef, 0.05 }"], "ready": { "log": "up" } },
  "talker": { "command": ["sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"] }
} }
JSON
colos startup --write
systemctl start colos
colos chaos --list
colos chaos eater --fault oom-kill --yes --for 5s --rate 1/s --seed 1
before=$(of eater restarts)
[ "$before" -ge 1 ] || fail "nobody was killed"
tell "restarts of eater: $before"
colos chaos home --fault disk-full --yes --for 12s --hold 5s --rate 10/min --seed 1
colos stop talker
colos logs talker | sed 's/.* | //' | awk 'NR > 1 && $1 != last + 1 { print "after " last " comes " $1; bad = 1 } { last = $1 } END { print "= " NR " lines of talker, none lost"; exit bad }' || fail "lines are lost"
systemctl stop colos
umount /mnt/home
