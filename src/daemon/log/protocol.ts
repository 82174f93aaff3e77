/**
 * Protocol: what the daemon and the recorder say to each other over the recorder's socket: one JSON value per line.
 *
 * Guarantees: `stop` and `hello` stay as they are in every version, so that a newer daemon can replace an older recorder.
 * Limit: a line of more than `messageBytesMax` ends the connection.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { LogsPlan } from "../../control/config.ts";
import type { RecordedRun } from "./recorder.ts";

/** Raised with every change that an older recorder does not understand. */
export const protocolVersion = 2;
/** The longest message, in bytes. */
export const messageBytesMax = 65_536;

/** What the daemon asks. Each request with an `ask` gets one answer. */
export type Request =
  | { readonly ask: number; readonly type: "attach"; readonly run: RecordedRun }
  | { readonly ask: number; readonly type: "drain"; readonly id: string }
  | { readonly ask: number; readonly type: "empty"; readonly service: string; readonly instance: number }
  | { readonly type: "limits"; readonly service: string; readonly instance: number; readonly logs: LogsPlan }
  | { readonly type: "stop" };

/** What the recorder says. */
export type Report =
  | { readonly type: "hello"; readonly version: number; readonly osPid: number }
  | { readonly type: "answer"; readonly ask: number; readonly problem?: string; readonly bytes?: number }
  | { readonly type: "note"; readonly id: string; readonly note: string }
  | { readonly type: "trouble"; readonly directory: string; readonly message?: string };

/** Sends one message. */
export function send(socket: Socket, message: Request | Report): void {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls `take` for each message. What is no message ends the connection, with the error for its `close`. */
export function receive<T extends Request | Report>(socket: Socket, take: (message: T) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (data: string) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop() ?? "";
    if (Buffer.byteLength(rest) > messageBytesMax) {
      socket.destroy(new Error(`a message of more than ${messageBytesMax} bytes came over the recorder's socket`));
      return;
    }
    for (const line of lines) {
      try {
        take(JSON.parse(line) as T);
      } catch (error) {
        socket.destroy(error as Error);
        return;
      }
    }
  });
}
