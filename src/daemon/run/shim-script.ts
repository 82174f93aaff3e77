/**
 * Shim script: what `/bin/sh` does beside each run (`run`, or `colos_launch` in a launcher) and beside each shared listening socket
 * (`hold`).
 *
 * Guarantees: runs on dash, busybox sh, bash and mksh. The shim starts the service after it has claimed the run, so a run whose
 * claim somebody else has is never started. It starts it in the foreground, because POSIX has a shell ignore SIGINT and
 * SIGQUIT in what it starts in the background, and the service would inherit that. Once the service runs, the shim needs
 * no other program and no fork to record its end: an exit status is not lost because the machine is out of OS processes.
 * A full disk is tried again each second, and until then the exit status stands in the second line of the shim's own file.
 * Nothing that a service wrote is lost while nobody reads, or with a reader that is killed: the shim keeps the FIFOs open
 * until the run is forgotten.
 * The line by which a standby is told that its turn has come waits in its FIFO until it is read.
 * Limits: a shell gives 128+n both for an OS signal n and for an exit code 128+n. Environment variables whose names are not
 * identifiers do not get through a shell (run-launch.ts has env(1) add them), and it sets PWD itself. Needs `setsid` and `mkfifo` (Linux).
 *
 * @module
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { standbyVariable } from "../../platforms/node/standby.ts";
import type { Home } from "../home.ts";

/** How often the shim looks for the notify socket, 20 ms apart, before it gives up. */
export const notifyLooksMax = 500;
/** Exit statuses of a shim that did not start its service. */
export const shimStatus = { claimed: 75, pipes: 73, record: 74, notify: 76, exec: 77, folder: 78 } as const;
/** The service's own PATH on its way through the shim, which has one of its own. */
export const servicePathVariable = "COLOS_SERVICE_PATH";
/**
 * The variables by which OS processes of a run are found, wherever they went: its id, and the home, as several homes have a
 * run of that id (`colos` finds its daemon by it too). Whoever starts a daemon or a recorder takes COLOS_RUN out, or it would belong to the run that it was started from.
 */
export const runVariable = "COLOS_RUN";
export const homeVariable = "COLOS_HOME";

// Every name begins with colos_: a shell would hand a changed variable of another name on to the service.
const script = `# Written by colos. See docs/home.md, "What runs beside your service".
colos_identity() { # pid and start ticks of this shell, also of a subshell
  IFS= read -r colos_stat </proc/self/stat
  colos_pid=\${colos_stat%% *}
  set -f
  set -- \${colos_stat##*) }
  set +f
  colos_identity="$colos_pid \${20}"
}
colos_claim() { # false when somebody else has the run, or it is not wanted any more
  set -C
  true 2>/dev/null >"$colos_run.claim" || return 1
  set +C
  [ -e "$colos_run.spec" ] && return 0
  rm -f "$colos_run.claim" "$colos_run.shim"
  return 1
}
colos_await_socket() {
  true >"$colos_run.notify"
  colos_looks=0
  until [ -S "$colos_pipe.notify" ]; do
    colos_looks=$((colos_looks + 1))
    [ $colos_looks -le ${notifyLooksMax} ] || return 1
    sleep 0.02
  done
}
colos_launch() { # <folder> <environment, as a script>, and what colos_run takes: as a shim that is nobody's child
  (
    colos_identity
    colos_between=$colos_pid
    (
      trap 'echo "colos-shim \${colos_run##*/} $?" >&2' EXIT
      kill -PIPE "$colos_between" # a shell says nothing of what ends by this one, and would wait for the shim
      colos_folder=$1 colos_environment=$2 colos_run=$3
      shift 2
      cd -P -- "$colos_folder" || exit ${shimStatus.folder}
      colos_run "$@"
      exit 0
    )
    : # or the shell would become the shim and not start it
  )
}
colos_run() { # <files> <pipes> <stdin> <ready fd, or -> <notify> <sockets> <standby fd, or -> <preamble> <setsid> <argv…>
  colos_run=$1 colos_pipe=$2 colos_stdin=$2.in colos_ready=$4 colos_sockets=$6 colos_standby=$7 colos_preamble=$8
  [ "$3" = null ] && colos_stdin=/dev/null
  [ "$5" = notify ] && colos_notify=1
  shift 8
  trap : HUP INT QUIT TERM PIPE USR1 USR2 ALRM
  colos_identity
  echo "$colos_identity" >"$colos_run.shim" || exit ${shimStatus.record}
  colos_claim || exit ${shimStatus.claimed}
  # Most often the daemon has had some to spare.
  [ -p "$colos_pipe.in" ] || mkfifo -m 600 "$colos_pipe.out" "$colos_pipe.err" "$colos_pipe.in" || exit ${shimStatus.pipes}
  exec 0<>"$colos_pipe.in" 1<>"$colos_pipe.out" 8<>"$colos_pipe.err"
  if [ "$colos_ready" != - ]; then
    mkfifo -m 600 "$colos_pipe.ready" || exit ${shimStatus.pipes}
    exec 9<>"$colos_pipe.ready"
  fi
  if [ "$colos_standby" != - ]; then
    mkfifo -m 600 "$colos_pipe.go" || exit ${shimStatus.pipes}
    exec 6<>"$colos_pipe.go"
  fi
  if [ "$colos_notify" = 1 ]; then colos_await_socket || exit ${shimStatus.notify}; fi
  # No redirection here: a shell does it for itself too, and what it says of a killed child would be in the service's log.
  exec 7>&2 2>/dev/null
  (colos_exec "$@")
  colos_status=$?
  [ -s "$colos_run.pid" ] || { exec 2>&7; exit ${shimStatus.exec}; }
  exec 7>&-
  colos_noted=
  until echo "$colos_status" >"$colos_run.exit"; do
    [ -e "$colos_run.spec" ] || exit 0
    # Where a few bytes stand already, there is room for some more.
    [ "$colos_noted" ] || { echo "exit $colos_status" >>"$colos_run.shim" && colos_noted=1 && colos_end_output; }
    sleep 1
  done
  [ "$colos_noted" ] || colos_end_output
  # A daemon ends this when it forgets the run.
  while [ -e "$colos_run.spec" ]; do IFS= read -r colos_line; done
}
colos_end_output() {
  # What is in a FIFO stays as long as somebody has it open. From here on nobody writes, so a reader finds its end; and because it
  # is open for reading here too, nothing is lost with a reader that is killed.
  exec 3<"$colos_pipe.out" 4<"$colos_pipe.err"
  exec 1>/dev/null 6>&- 8>&- 9>&-
}
colos_exec() { # becomes the service, in a subshell: its pid stays the one that is written here. <setsid> <argv…>
  exec <"$colos_stdin" >"$colos_pipe.out" 2>"$colos_pipe.err" 6>&- 7>&- 8>&- 9>&-
  colos_identity
  echo "$colos_identity" >"$colos_run.pid" || exit ${shimStatus.record}
  [ -e "$colos_run.shim" ] || exit ${shimStatus.claimed} # a daemon has given the run up
  # Opened with the exec of the service: shells of the ksh family hand on no file descriptor that was opened before.
  colos_opened=
  [ "$colos_ready" = - ] || colos_opened="$colos_ready>\\"\\$colos_pipe.ready\\""
  if [ "$colos_standby" != - ]; then
    colos_opened="$colos_opened $colos_standby<>\\"\\$colos_pipe.go\\""
    ${standbyVariable}=$colos_standby
    export ${standbyVariable}
  fi
  if [ "$colos_sockets" != 0 ]; then
    LISTEN_FDS=$colos_sockets LISTEN_PID=$colos_pid
    export LISTEN_FDS LISTEN_PID
  fi
  if [ "$colos_environment" ]; then
    eval "$colos_preamble"
    eval "$colos_environment"
  else
    if [ "\${${servicePathVariable}+x}" ]; then PATH=$${servicePathVariable}; unset ${servicePathVariable}; else unset PATH; fi
    eval "$colos_preamble"
  fi
  eval "exec \\"\\$@\\" $colos_opened"
}
colos_hold() { # <identity file> <FIFO>
  trap : HUP INT QUIT TERM PIPE USR1 USR2 ALRM
  colos_identity
  [ -p "$2" ] || mkfifo -m 600 "$2" || exit ${shimStatus.pipes}
  exec 0<>"$2"
  read -r colos_boot </proc/sys/kernel/random/boot_id
  echo "$colos_identity $colos_boot" >"$1" || exit ${shimStatus.record}
  colos_newline='
'
  # A line counts when it begins and ends with the same word; half a line, of a daemon that was killed, does not.
  while :; do
    IFS= read -r colos_line || continue
    colos_word=\${colos_line%% *}
    case $colos_line in
    "$colos_word "*" $colos_word")
      colos_line=\${colos_line#* }
      (eval "\${colos_line% *}") </dev/null
      ;;
    esac
  done
}
case $1 in
run) shift; colos_environment=; colos_run "$@"; exit 0 ;;
hold) shift; colos_hold "$@"; exit 0 ;;
esac
`;

/** Where the script of a home lies. A file, so that `ps` shows a short line for each shim. */
export function shimFile(home: Home): string {
  return join(home.root, "shim");
}

/** Puts the script into the home, by rename: a shim that runs goes on reading the one it began with. */
export function installShim(home: Home): void {
  const file = shimFile(home);
  if (contentOf(file) === script) return;
  const draft = `${file}.draft`;
  writeFileSync(draft, script, { mode: 0o600 });
  renameSync(draft, file);
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
