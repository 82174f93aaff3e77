#!/bin/sh
# The first process of a container: reaps orphans, passes OS signals and the exit code on.
# Usage: init.sh command [arguments]
child= early= signalled= code=
forward() {
  signalled=yes
  if [ -n "$child" ]; then kill -s "$1" "$child" 2>/dev/null; else early="$early $1"; fi
}
for name in TERM HUP USR1 USR2; do trap "forward $name" "$name"; done
if [ -t 0 ]; then
  # The terminal sends these to the command too.
  trap 'signalled=yes' INT QUIT
else
  trap 'forward INT' INT
  trap 'forward QUIT' QUIT
fi
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
# They came before the shell knew whom to pass them to.
for name in $early; do forward "$name"; done
while :; do
  signalled=
  wait "$child"
  now=$?
  # It had ended before the OS signal came, and was waited for already.
  [ -n "$code" ] && [ "$now" -eq 127 ] && break
  code=$now
  [ -n "$signalled" ] || break
done
exit "$code"
