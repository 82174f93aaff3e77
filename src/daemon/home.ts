/**
 * Home: where everything of one system lies. One place knows the names, so that people find what the documentation says.
 *
 * ```
 * lock                         held (flock) by the daemon that lives
 * daemon                       who it is: pid, start ticks, boot id, version, one per line
 * control.sock                 the control API, mode 0600
 * recorder.lock                held (flock) by the recorder that lives
 * recorder.sock                how the daemon speaks to the recorder
 * journal                      what was asked for and what happened; the truth
 * log/daemon, log/recorder     what colos itself has to say; .1: what it said before
 * log/heart                    when the heart started a daemon or killed one, and why
 * heart/pid, script, start, ask, answer, rest  who watches over the daemon, and what it is told (heart.ts)
 * shim                         the shell script that runs beside each service
 * runs/<run>.spec              what was started, without secrets (JSON)
 * runs/<run>.standby           it was started ahead and waits for its turn
 * runs/<run>.claim             whoever made it decides whether the run begins
 * runs/<run>.shim, .pid        pid and start ticks of the shim and of the service
 * runs/<run>.ready             the service has said that it is ready
 * runs/<run>.exit              how it ended: exit status; the time of the file is when
 * runs/hold-<port>-<host>      pid, start ticks and boot id of the holder of a listening socket
 * pipes/<port>-<host>.hold     FIFO by which the daemon tells it what to start
 * pipes/<run>.out .err .in     FIFOs between service, recorder and daemon
 * pipes/<run>.call             where a program of processes is called from outside; a plain file for a script
 * pipes/<run>.go               where a standby hears that its turn has come
 * spare/                       FIFOs that no run has yet
 * services/<name>/<instance>/  for people: state, pid, standby, exit, ready, restarts, limits, log/current
 * ```
 *
 * @module
 */
import { join } from "node:path";

/** The paths of one home. */
export interface Home {
  readonly root: string;
  readonly lock: string;
  readonly daemon: string;
  readonly controlSocket: string;
  readonly recorderSocket: string;
  readonly journal: string;
  readonly runs: string;
  readonly pipes: string;
  readonly spare: string;
  readonly services: string;
  readonly log: string;
}

/** The paths below `root`, which is absolute. */
export function homeAt(root: string): Home {
  return {
    root,
    lock: join(root, "lock"),
    daemon: join(root, "daemon"),
    controlSocket: join(root, "control.sock"),
    recorderSocket: join(root, "recorder.sock"),
    journal: join(root, "journal"),
    runs: join(root, "runs"),
    pipes: join(root, "pipes"),
    spare: join(root, "spare"),
    services: join(root, "services"),
    log: join(root, "log"),
  };
}

/** The folder of one instance, for people. */
export function instanceFolder(home: Home, service: string, instance: number): string {
  return join(home.services, service, String(instance));
}

/** The folder of one instance's log files. */
export function logFolder(home: Home, service: string, instance: number): string {
  return join(instanceFolder(home, service, instance), "log");
}

/** What the file `state` of an instance says that is no part of the system any more. */
export const removedState = "removed";
