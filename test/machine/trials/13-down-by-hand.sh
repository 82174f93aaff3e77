# What is stopped by hand, and while it starts, is stopped for systemd too
clean
config <<'JSON'
{ "services": { "web": { "command": ["sleep", "1000"] } } }
JSON
colos startup --write
systemctl start colos
colos down --quiet
await 20 sh -c '[ "$(systemctl is-active colos)" = inactive ]'
sleep 12
same "unit, later" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"

config <<'JSON'
{ "services": { "slow": { "command": ["sleep", "1000"], "ready": { "log": "never", "timeoutMs": 100000 } } } }
JSON
systemctl start --no-block colos
await 60 pgrep -x sleep
same unit "$(systemctl is-active colos || :)" activating
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
