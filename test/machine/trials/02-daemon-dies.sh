# The daemon is killed under systemd
web_in_unit
before=$(daemon)
kill -9 "$before"
await 60 is_after "$before"
same web "$(of web pid)" "$web"
same unit "$(systemctl is-active colos)" active
same "cgroup of the new daemon" "$(cgroup_of "$(daemon)")" /system.slice/colos.service/colos-daemon
colos restart web
has "web started by the new daemon" "$(cgroup_of "$(of web pid)")" /system.slice/colos.service/run.
same "its limit" "$(cat "/sys/fs/cgroup$(cgroup_of "$(of web pid)")/memory.max")" 67108864

kill -9 "$(head -n 1 /var/lib/colos/heart/pid)" "$(daemon)"
same "unit without heart and daemon" "$(systemctl is-active colos)" active
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
