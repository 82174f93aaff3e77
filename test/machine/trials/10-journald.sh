# Forwarding to journald
clean
config <<'JSON'
{ "services": { "web": { "command": ["sh", "-c", "echo one; echo two >&2; printf half; sleep 1; echo ' line'; echo up; exec sleep 1000"], "ready": { "log": "up" }, "instances": 2, "logs": { "forward": "journald" } } } }
JSON
colos startup --write
systemctl start colos
journalctl --sync
journalctl -b -o short-monotonic --no-pager | tail -n 30
colos logs web
same "lines of web.1" "$(journalctl -t web.1 -p info..info -o cat --no-pager -b | tr '\n' ',')" "one,half line,up,"
same "errors of web.2" "$(journalctl -t web.2 -p err -o cat --no-pager -b | tr '\n' ',')" "two,"
tell "fields: $(journalctl -t web.1 -n 1 -o verbose --no-pager -b | grep -E '_SYSTEMD_UNIT|SYSLOG_IDENTIFIER|PRIORITY|_TRANSPORT' | tr -s ' \n' ' ')"
systemctl restart systemd-journald
colos restart web
journalctl --sync
same "web.1 was up, with a restart of journald" "$(journalctl -t web.1 -o cat --no-pager -b | grep -c up) times" "2 times"
