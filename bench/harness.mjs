/**
 * Harness: what every side of the benchmarks shares. Runs one benchmark, once to warm up and so many times measured, and
 * prints the JSON line that `bench/main.mjs` reads. Smaller is better everywhere.
 *
 * @module
 */

/**
 * @param work by name, `(operations) => Promise`: does the work and gives what it took, in microseconds or bytes per
 * operation. The name, the operations and the repetitions are the arguments of the command line.
 */
export async function main(work) {
  const [name, operations, repetitions] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
  await work[name](operations);
  const samples = [];
  for (let index = 0; index < repetitions; index++) samples.push(await work[name](operations));
  const unit = name === "memory" ? "bytes/process" : "us/op";
  process.stdout.write(`${JSON.stringify({ name, unit, samples, operations })}\n`);
  process.exit(0);
}

/** Microseconds per operation of what `run` does; what `prepare` gives stands before the clock starts. */
export function timed(run, prepare = () => undefined) {
  return async (operations) => {
    const prepared = await prepare(operations);
    const start = process.hrtime.bigint();
    await run(operations, prepared);
    return Number(process.hrtime.bigint() - start) / 1000 / operations;
  };
}

/** Bytes of the heap in use; needs `node --expose-gc`. */
export function heapBytes() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** What was weighed lives on: what is freed must not be taken off from what comes after it. */
const kept = [];

/** Bytes of heap per unit of what `create` makes and keeps alive in what it returns. */
export function weighed(create) {
  return async (operations) => {
    const before = heapBytes();
    kept.push(await create(operations));
    return (heapBytes() - before) / operations;
  };
}

/** Checks the sum of the numbers of all leaves of a skynet tree. */
export function assertSkynet(sum, leaves) {
  const expected = (leaves * (leaves - 1)) / 2;
  if (sum !== expected) throw new Error(`skynet gives ${sum}, not ${expected}`);
}
