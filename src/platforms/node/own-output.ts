/**
 * Own output: what code in this OS process writes to stdout and stderr, such as `console.log` in a coroutine process.
 *
 * While it is captured, nothing but the returned outputs reaches the terminal or pipe, so that a view can own the screen.
 * Limit: native code and child processes that inherited the descriptors write past it.
 *
 * @module
 */
import { currentOwner } from "./stray-owner.ts";

/** Takes what `owner`'s code has written; undefined when no process's code did. */
export type TakeOwnOutput = (owner: object | undefined, stream: "stdout" | "stderr", data: Uint8Array) => void;

/** Gives all own output to `take` until the returned function is called. */
export function captureOwnOutput(take: TakeOwnOutput): () => void {
  const undo = [captureStream("stdout", take), captureStream("stderr", take)];
  return () => {
    for (const each of undo) each();
  };
}

/** Writes past a capture; a face uses these. */
export const uncaptured: Readonly<Record<"stdout" | "stderr", typeof process.stdout.write>> = {
  stdout: process.stdout.write.bind(process.stdout),
  stderr: process.stderr.write.bind(process.stderr),
};

function captureStream(name: "stdout" | "stderr", take: TakeOwnOutput): () => void {
  const stream = process[name];
  const { write } = stream;
  const captured = (
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    written?: (error?: Error | null) => void,
  ): boolean => {
    const data =
      typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : chunk;
    take(currentOwner(), name, data);
    const callback = typeof encoding === "function" ? encoding : written;
    if (callback !== undefined) process.nextTick(callback);
    return true;
  };
  stream.write = captured as typeof write;
  return () => {
    stream.write = write;
  };
}
