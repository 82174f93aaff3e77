# Forwarding to journald
clean
config <<'JSON'
{ "services": { "web": { "command": ["sh", "-c", "echo one; echo two >&2; printf half; sleep 1; echo ' line'; echo up; exec sleep 1000"], "ready": { "log": "up" }, "instances": 2, "logs": { "forward": "journald" } } } }
JSON
colos startup --write
systemctl start colos
journalctl --sync
same "lines of web" "$(journalctl -t web -p info..info -o cat --no-pager -b | tr '\n' ',')" "one,half line,up,"
same "errors of web.2" "$(journalctl -t web.2 -p err -o cat --no-pager -b | tr '\n' ',')" "two,"
tell "fields: $(journalctl -t web -n 1 -o verbose --no-pager -b | grep -E '_SYSTEMD_UNIT|SYSLOG_IDENTIFIER|PRIORITY|_TRANSPORT' | tr -s ' \n' ' ')"
systemctl restart systemd-journald
colos restart web
journalctl --sync
same "web was up, with a restart of journald" "$(journalctl -t web -o cat --no-pager -b | grep -c up) times" "2 times"
