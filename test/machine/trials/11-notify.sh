# sd_notify(3) by systemd's own systemd-notify
clean
config <<'JSON'
{ "services": {
  "web": { "command": ["sh", "-c", "systemd-notify --status='it warms up'; sleep 1; systemd-notify --ready --status=serving; exec sleep 1000"], "ready": { "notify": true } },
  "after": { "command": ["sleep", "1000"], "dependsOn": ["web"] }
} }
JSON
colos startup --write
systemctl start colos
same web "$(of web state)" ready
same after "$(of after state)" ready
has "what web says" "$(colos ps --json)" serving
