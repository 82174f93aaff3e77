/**
 * Heart script: the `/bin/sh` program that watches a home's daemon and starts it again (heart.ts says what it promises).
 *
 * Written for dash, busybox and bash: builtins only while all is well, but for one `sleep` each round. Times are milliseconds
 * of /proc/uptime, which goes on while the machine is suspended, as `sleep` does not: a round that took much longer than its
 * sleep says nothing about the daemon. Tokens are written in place and in one length, so that a full disk takes them.
 *
 * @module
 */

/** What the script is started with, in this order, after the home's folder. */
export const heartParameters = [
  "intervalMs",
  "triesMax",
  "firstAnswerMs",
  "restartsMax",
  "windowMs",
  "slowMs",
  "backoffMaxMs",
  "output",
  "version",
] as const;

export const heartScript: string = String.raw`
set -f
exec </dev/null >/dev/null 2>&1
home=$1 interval=$2 tries=$3 first=$4 restarts=$5 window=$6 slow=$7 backoff_max=$8 output=$9
shift 9
version=$1
dir=$home/heart
# It stands in the folder, so that another one at that path is told from this one.
cd "$dir" || exit 1
read -r boot </proc/sys/kernel/random/boot_id

# Sets state and ticks of an OS process; false when there is none.
look() {
  text=
  while read -r line || [ -n "$line" ]; do text="$text $line"; done <"/proc/$1/stat"
  [ -n "$text" ] || return 1
  set -- $\{text##*") "}
  state=$1 ticks=$\{20}
}
lives() {
  [ -n "$1" ] && [ "$3" = "$boot" ] && look "$1" && [ "$ticks" = "$2" ] && [ "$state" != Z ] && [ "$state" != X ]
}
clock() {
  read -r up rest_of </proc/uptime
  hundredths=$\{up#*.}
  now=$(($\{up%.*} * 1000 + (1$hundredths - 100) * 10))
}
pause() {
  part=$(($1 % 1000 + 1000))
  if [ "$part" -eq 1000 ]; then sleep $(($1 / 1000)); else sleep $(($1 / 1000)).$\{part#1}; fi
}
say() {
  size=$(wc -c <"$home/log/heart")
  [ "$\{size:-0}" -lt 262144 ] || mv -f "$home/log/heart" "$home/log/heart.1"
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*" >>"$home/log/heart"
}

# False when the home is gone, or another one stands in its place.
here() {
  [ . -ef "$dir" ]
}
# False when another heart beats for this home.
alone() {
  h_pid= h_ticks= h_boot=
  { read -r h_pid; read -r h_ticks; read -r h_boot; } <"$dir/pid"
  [ "$h_pid.$h_ticks.$h_boot" = "$$.$own.$boot" ] && return 0
  lives "$h_pid" "$h_ticks" "$h_boot" && return 1
  printf '%s\n' "$$" "$own" "$boot" "$version" >"$dir/pid.new" && mv -f "$dir/pid.new" "$dir/pid"
  return 0
}

# A planned end: true while nothing is to be started.
resting() {
  kind= end=
  { read -r kind end; } <"$dir/rest"
  case $kind in
  down)
    rm -f "$dir/pid"
    exit 0
    ;;
  handover)
    clock
    [ "$now" -lt "$end" ]
    ;;
  *) false ;;
  esac
}

ask() {
  next=
  if [ "$seen" != "$d_pid.$d_ticks" ]; then
    seen=$d_pid.$d_ticks misses=$((0 - first / interval))
  fi
  count=$((count + 1)) asked=yes
  printf '%-30s\n' "$$.$count" 1<>"$dir/ask" || asked=no
  clock
  before=$now
  pause "$interval"
  clock
  answer=
  read -r answer rest_of <"$dir/answer"
  if [ "$answer" = "$$.$count" ]; then
    misses=0
  elif [ "$asked" = no ] || [ $((now - before)) -gt $((2 * interval)) ]; then
    [ "$misses" -lt 0 ] || misses=0
  else
    misses=$((misses + 1))
  fi
  [ "$misses" -ge "$tries" ] || return
  misses=0
  # A daemon under a debugger answers nobody.
  lives "$d_pid" "$d_ticks" "$d_boot" && [ "$state" != t ] || return
  resting && return
  kill -9 "$d_pid"
  say "the daemon (OS process $d_pid) has not answered $tries times, $interval ms each: it is killed"
}

begin() {
  clock
  if [ -n "$child" ]; then
    if lives "$child" "$child_ticks" "$boot"; then
      if [ $((now - started)) -lt "$first" ]; then
        pause "$interval"
        return
      fi
      kill -9 "$child"
      say "the daemon that was started (OS process $child) has not said who it is within $first ms: it is killed"
    fi
    wait "$child"
    say "the daemon that was started (OS process $child) has ended with exit status $?"
    child=
  fi
  if [ -z "$next" ]; then
    kept= number=0
    for time in $times; do
      [ $((now - time)) -lt "$window" ] || continue
      kept="$kept $time" number=$((number + 1))
    done
    times=$kept
    [ "$number" -gt 0 ] || delay=0 slowly=
    next=$((now + delay))
    delay=$((delay * 2))
    [ "$delay" -gt 0 ] || delay=1000
    [ "$delay" -le "$backoff_max" ] || delay=$backoff_max
    if [ "$number" -ge "$restarts" ]; then
      next=$((now + slow))
      [ -n "$slowly" ] || say "$number starts within $window ms are enough: from now on one every $slow ms"
      slowly=yes
    fi
  fi
  if [ "$now" -lt "$next" ]; then
    pause "$interval"
    return
  fi
  here || exit 0
  next= times="$times $now" started=$now
  out=$output
  true >>"$out" || out=/dev/null
  # In a session of its own: whoever ends this one ends it alone.
  setsid /bin/sh "$dir/start" >>"$out" 2>&1 &
  child=$! child_ticks=
  look "$child" && child_ticks=$ticks
  say "no daemon lives: one is started (OS process $child)"
  pause "$interval"
}

look "$$"
own=$ticks
count=0 misses=0 seen= child= next= times= delay=0 slowly=
while here && alone; do
  d_pid= d_ticks= d_boot=
  { read -r d_pid; read -r d_ticks; read -r d_boot; } <"$home/daemon"
  if resting; then
    misses=0
    pause "$interval"
  elif lives "$d_pid" "$d_ticks" "$d_boot"; then
    ask
  else
    begin
  fi
done
`.replaceAll("$\\{", "${");
