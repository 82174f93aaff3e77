# What was started by hand, before the unit was
clean
config <<'JSON'
{ "services": { "web": { "command": ["sleep", "1000"] } } }
JSON
colos up
web=$(of web pid)
colos startup --write
systemctl start colos
same "web after systemctl start" "$(of web state), $(of web pid)" "ready, $web"
same unit "$(systemctl is-active colos)" active
same "cgroup of the daemon" "$(cgroup_of "$(daemon)")" /system.slice/colos.service/colos-daemon
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
