/**
 * Recorder: the contract between the daemon and the OS process that reads what services write.
 *
 * Guarantees: the recorder is an OS process of its own, so the daemon is not in the way of a log line, and what is written
 * while no daemon lives is recorded all the same. Each line stands in a file in the CRI log format
 * (`<RFC 3339 time> stdout|stderr F|P <text>`; P: the line goes on in the next), so that other programs read it too.
 * A service that writes faster than the disk takes waits; nothing is dropped and nothing is buffered beyond one chunk.
 *
 * @module
 */
import type { LogsPlan } from "../../control/config.ts";
import type { RunId } from "../run/run.ts";

/** A run whose pipes are to be read until nobody holds them. */
export interface RecordedRun {
  readonly id: RunId;
  readonly service: string;
  readonly instance: number;
  /** FIFOs; absolute paths. */
  readonly stdout: string;
  readonly stderr: string;
  /** A FIFO: the first line means ready. Then `<runs>/<id>.ready` is made. */
  readonly ready?: string;
  /** A Unix datagram socket to be bound (sd_notify(3)). READY=1 makes `<runs>/<id>.ready`. */
  readonly notify?: string;
  /** A text or `/expression/flags`: the first line of the run that has it makes `<runs>/<id>.ready`. */
  readonly readyLine?: string;
  /** The folder that holds `current` and the rotated files. */
  readonly directory: string;
  readonly logs: LogsPlan;
}

/** The daemon's end of the connection. It starts a recorder when none lives, and attaches all runs again after a loss. */
export interface Recorder {
  /** Settles when the recorder reads the run's pipes. Attaching twice is the same as once. */
  attach(run: RecordedRun): Promise<void>;
  /**
   * Settles when everything the run has written is on disk and its pipes are closed, or after `timeoutMs`. Ask it of a run
   * that was started; a pipe that nobody opens soon after counts as closed.
   */
  drained(id: RunId, timeoutMs: number): Promise<void>;
  /** Called for each sd_notify message (one assignment per line) and when a `ready` pipe or a line says so (`READY=1`). */
  onNote(listener: (id: RunId, note: string) => void): () => void;
  /**
   * Called when the recorder cannot write or read what it should (a full disk), with a sentence, and at once when that is so already;
   * undefined: it is over, or the recorder is.
   */
  onTrouble(listener: (directory: string, message: string | undefined) => void): () => void;
  /**
   * Settles when what was recorded of one instance is removed, with the bytes that it took. What is written meanwhile and later is recorded.
   * Nobody need write it now.
   */
  empty(service: string, instance: number): Promise<number>;
  /** New limits for the files of one instance. */
  setLimits(service: string, instance: number, logs: LogsPlan): void;
  /** The recorder's OS process id; undefined while there is none. */
  readonly osPid: number | undefined;
  /** Ends the connection; the recorder goes on. */
  close(): Promise<void>;
  /** Ends the recorder too, after it has read what is there. What is written later waits in the pipes for the next one. */
  stop(): Promise<void>;
}
