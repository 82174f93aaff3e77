# A unit of the machine that runs as a user
clean
rm -rf /home/person/colos
config <<'JSON'
{ "services": { "web": { "command": ["sh", "-c", "id -un; exec sleep 1000"], "ready": { "log": "person" }, "limits": { "memoryBytes": "64 MiB" } } } }
JSON
colos startup --write --run-as person --home /home/person/colos
systemctl start colos
#! person
export COLOS_HOME=/home/person/colos
same web "$(of web state)" ready
has "cgroup of web" "$(cgroup_of "$(of web pid)")" /system.slice/colos.service/run.
#! root
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
