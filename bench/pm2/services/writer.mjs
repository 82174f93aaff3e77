/**
 * Writes numbered lines of 100 bytes as fast as they are taken, says in a file how long that took, and goes on living.
 *
 *   node writer.mjs <bytes> <file>
 */
import { writeFileSync, writeSync } from "node:fs";

const lineBytes = 100;
const linesPerChunk = 640;
const [bytes, file] = process.argv.slice(2);
const linesCount = Math.floor(Number(bytes) / lineBytes);

/** All of it, also when the pipe is full and does not block. */
function writeAll(chunk) {
  for (let written = 0; written < chunk.length;) {
    try {
      written += writeSync(1, chunk, written);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

// Managers may need a moment to be there; what is measured is the flood.
setTimeout(() => {
  const startedAt = Date.now();
  for (let line = 0; line < linesCount;) {
    let text = "";
    for (let at = 0; at < linesPerChunk && line < linesCount; at += 1, line += 1) {
      text += `${`line ${String(line).padStart(12, "0")} `.padEnd(lineBytes - 1, "x")}\n`;
    }
    writeAll(Buffer.from(text));
  }
  writeFileSync(file, JSON.stringify({ startedAt, endedAt: Date.now(), linesCount }));
}, 1_000);
setInterval(() => {}, 1_000_000);
