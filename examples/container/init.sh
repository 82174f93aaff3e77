#!/bin/sh
# The first process of a container: reaps orphans, passes OS signals and the exit code on.
# Usage: init.sh command [arguments]
child= early= signalled= code=
forward() {
  signalled=yes
  if [ -n "$child" ]; then kill -"$1" "$child" 2>/dev/null; else early=$1; fi
}
# TERM, HUP, USR1, USR2.
for number in 15 1 10 12; do trap "forward $number" "$number"; done
if [ -t 0 ]; then
  # The terminal sends these to the command too.
  trap 'signalled=yes' INT QUIT
else
  trap 'forward 2' INT
  trap 'forward 3' QUIT
fi
exec 3<&0
# It would have ended what has no handler yet.
[ -z "$early" ] || exit $((128 + early))
"$@" <&3 3<&- &
child=$!
exec 3<&-
# It came before the shell knew whom to pass it to.
[ -z "$early" ] || forward "$early"
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
