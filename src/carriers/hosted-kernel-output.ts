/**
 * Output of a hosted kernel: drains stdout and stderr into what `options.output` names.
 *
 * Guarantees: both streams are always read, so nobody's slowness blocks the program (K13); what was written before the
 * end is delivered before the end is announced (K14). A sink that fails is logged once and then ignored.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { describeReason } from "../kernel/exit-reason.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { Pid } from "../kernel/pid.ts";
import type { OutputSink } from "../kernel/program.ts";

type StreamName = "stdout" | "stderr";

/** Reads both streams into `sink`. @returns a promise that settles when both have ended. */
export function drainOutput(
  kernel: Kernel,
  from: AnyPid,
  sink: OutputSink,
  streams: Readonly<Record<StreamName, Readable | null>>,
): Promise<void> {
  const deliver = delivery(kernel, from, sink);
  const ends = (["stdout", "stderr"] as const).map((name) => {
    const stream = streams[name];
    if (stream === null) return Promise.resolve();
    stream.on("data", (chunk: Uint8Array) => deliver(name, new Uint8Array(chunk)));
    return new Promise<void>((resolve) => {
      stream.on("error", () => {});
      stream.once("end", resolve);
      stream.once("close", resolve);
    });
  });
  return Promise.all(ends).then(() => {});
}

function delivery(kernel: Kernel, from: AnyPid, sink: OutputSink): (stream: StreamName, data: Uint8Array) => void {
  if (sink === "ignore" || sink === "inherit") return () => {};
  const write =
    sink instanceof Pid
      ? (stream: StreamName, data: Uint8Array): void => kernel.send(sink, { type: "output", from, stream, data })
      : sink;
  let failed = false;
  return (stream, data) => {
    try {
      write(stream, data);
    } catch (error) {
      if (!failed) kernel.platform.log("warning", `the output of ${from} was refused: ${describeReason(error)}`);
      failed = true;
    }
  };
}
