# A service that cannot start, of a unit whose others can
clean
config <<'JSON'
{ "services": {
  "good": { "command": ["sleep", "1000"] },
  "bad": { "command": ["sh", "-c", "exit 3"], "maxRestarts": 1 }
} }
JSON
colos startup --write
systemctl start colos
same unit "$(systemctl is-active colos)" active
has "what systemctl status says" "$(journalctl -u colos -o cat --no-pager -b)" "bad is"
same good "$(of good state)" ready
good=$(of good pid)
systemctl start colos
same "good after another start" "$(of good pid)" "$good"
systemctl stop colos
same "after stop" "$(systemctl is-active colos || :), $(pgrep -c -x sleep || :) left" "inactive, 0 left"
