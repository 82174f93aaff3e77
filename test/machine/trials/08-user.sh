# A unit of a user, who logs out
# Without polkit nobody but root may.
loginctl enable-linger person
rm -rf /home/person/app /home/person/.local
#! person
mkdir -p ~/app
cd ~/app
echo '{ "services": { "web": { "command": ["sh", "-c", "echo up; exec sleep 1000"], "ready": { "log": "up" }, "limits": { "memoryBytes": "64 MiB", "pidsMax": 10 } } } }' >colos.config.json
colos startup --write || tell "lingering is for root to allow"
systemctl --user start colos
same unit "$(systemctl --user is-active colos)" active
has "cgroup of web" "$(cgroup_of "$(of web pid)")" /colos.service/run.
has abilities "$(colos ps --json)" "the OS kernel holds limits of"
of web pid >~/web.pid
#! person
same "web after the logout" "$(of web pid)" "$(cat ~/web.pid)"
#! reboot
home=/home/person/.local/state/colos
await 60 test -S $home/control.sock
#! person
await 60 systemctl --user is-active colos
same "web after a boot without a login" "$(of web state)" ready
systemctl --user stop colos
same "after stop" "$(systemctl --user is-active colos || :), $(pgrep -c -u person -x sleep || :) left" "inactive, 0 left"
colos startup --remove
same removed "$(systemctl --user is-enabled colos 2>/dev/null || :)" ""
