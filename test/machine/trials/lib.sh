# What trials are written with. A line that begins with "= " is evidence; an exit status that is not 0 is a failure.
set -eu
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin NO_COLOR=1
if [ "$(id -u)" = 0 ]; then home=/var/lib/colos; else home=$HOME/.local/state/colos; fi
unit=/sys/fs/cgroup/system.slice/colos.service

tell() { echo "= $*"; }
fail() {
  echo "! $*"
  exit 1
}
same() { # <what> <seen> <expected>
  [ "$2" = "$3" ] || fail "$1 is \"$2\", not \"$3\""
  tell "$1: $2"
}
has() { # <what> <text> <part>
  case $2 in *"$3"*) tell "$1: $3" ;; *) fail "$1 has no \"$3\": $2" ;; esac
}
# Looks again each 0.1 s until the command succeeds.
await() { # <seconds> <command…>
  looks=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    looks=$((looks - 1))
    [ $looks -gt 0 ] || fail "not in time: $*"
    sleep 0.1
  done
}
# The services, as JSON, from stdin.
config() {
  mkdir -p /srv/app
  cat >/srv/app/colos.config.json
  cd /srv/app
}
of() { # <service or service.instance> <file of its folder>; the pid is written soon after colos has answered
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$2" != pid ] || kill -0 "$(read_of "$@")" 2>/dev/null || sleep 0.5
  done
  read_of "$@"
}
read_of() {
  case $1 in *.*) set -- "${1%.*}" "$2" "${1##*.}" ;; *) set -- "$1" "$2" 1 ;; esac
  cat "${COLOS_HOME:-$home}/services/$1/$3/$2" 2>/dev/null || :
}
is() { # <instance> <state>
  [ "$(of "$1" state)" = "$2" ]
}
daemon() { head -n 1 "${COLOS_HOME:-$home}/daemon"; }
# A daemon has come in the place of that one, and its API is there.
is_after() { # <pid>
  [ "$(daemon)" != "$1" ] && kill -0 "$(daemon)" && [ -S "${COLOS_HOME:-$home}/control.sock" ]
}
cgroup_of() { sed -n s/^0:://p "/proc/$1/cgroup"; }
# Everything of earlier trials ends.
clean() {
  systemctl stop colos 2>/dev/null || :
  colos down --quiet 2>/dev/null || :
  systemctl disable --quiet colos 2>/dev/null || :
  rm -rf /etc/systemd/system/colos.service /var/lib/colos /srv/app
  systemctl daemon-reload
  systemctl reset-failed
}
# One service with a limit in a unit that runs; $web is its pid.
web_in_unit() {
  clean
  config <<'JSON'
{ "services": { "web": { "command": ["sleep", "1000"], "limits": { "memoryBytes": "64 MiB" } } } }
JSON
  colos startup --write
  systemctl start colos
  web=$(of web pid)
}
