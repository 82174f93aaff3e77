# An update, typed in a login session, of a daemon under systemd
web_in_unit
has "what update says" "$(/opt/later/bin/colos update)" "99.0.0"
same web "$(of web pid)" "$web"
same "cgroup of the new daemon" "$(cgroup_of "$(daemon)")" /system.slice/colos.service/colos-daemon
colos restart web
has "web started by the new daemon" "$(cgroup_of "$(of web pid)")" /system.slice/colos.service/run.
same unit "$(systemctl is-active colos)" active
before=$(daemon)
kill -9 "$before"
await 60 is_after "$before"
has "the version that the heart starts" "$(colos ps --json)" '"version":"99.0.0"'
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
