# Boot: a restart in order stops and starts what there is; a cut of the power loses nothing
clean
config <<'JSON'
{ "services": {
  "web": { "command": ["sh", "-c", "trap 'sleep 1; echo goes; kill $!; exit 0' TERM; echo up; sleep 1000 & wait"], "ready": { "log": "up" } }
} }
JSON
colos startup --write
systemctl start colos
sync
#! reboot
await 60 systemctl is-active colos
same "web after a restart of the machine" "$(of web state)" ready
same "its log" "$(colos logs web | tr '\n' ' ')" "web | up web | goes web | up "
colos scale web 2
#! power
await 60 systemctl is-active colos
same "web after a cut of the power" "$(of web state)" ready
tell "what its journal says: $(colos why web | tail -n 3 | tr '\n' ';')"
