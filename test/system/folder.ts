/**
 * Folder: a temporary folder for one test of code that works with files, and a log in it, written as the recorder writes it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as baseTest, type TestAPI } from "vitest";
import type { LogsPlan } from "../../src/control/config.ts";
import { LineFormatter, type LogStream } from "../../src/daemon/log/cri-format.ts";
import { LogFolder } from "../../src/daemon/log/log-folder.ts";
import { nodePlatform } from "../../src/platforms/node/node-platform.ts";

/** vitest's `test` with an empty folder, removed afterwards. */
export const test: TestAPI<{ folder: string }> = baseTest.extend<{ folder: string }>({
  // oxlint-disable-next-line no-empty-pattern
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "colos-folder-"));
    try {
      await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

const { clock } = nodePlatform();

/** Far from every limit. */
export const wideLogs: LogsPlan = { sizeBytes: 2 ** 40, ageMs: 2 ** 40, budgetBytes: 2 ** 42 };

/** A log whose wall clock the test sets. */
export class WrittenLog {
  /** Epoch milliseconds. */
  wallMs: number = Date.UTC(2026, 10, 21, 10, 0, 0);
  readonly folder: LogFolder;
  readonly troubles: (string | undefined)[] = [];
  readonly #sources = new Map<LogStream, { readonly stream: LogStream; readonly formatter: LineFormatter }>();

  constructor(directory: string, limits: Partial<LogsPlan> = {}) {
    this.folder = new LogFolder({
      directory,
      logs: { ...wideLogs, ...limits },
      clock: { ...clock, wallMs: () => this.wallMs },
      onTrouble: (message) => this.troubles.push(message),
    });
  }

  /** Writes what a service wrote, `ms` after what it wrote last. */
  async write(
    text: string | Buffer,
    {
      stream = "stdout",
      rest = "keep",
      ms = 1,
    }: { stream?: LogStream; rest?: "keep" | "piece" | "end"; ms?: number } = {},
  ): Promise<void> {
    this.wallMs += ms;
    await this.folder.prepare();
    const source = this.#sources.get(stream) ?? {
      stream,
      formatter: new LineFormatter(stream, this.folder.takeOpenLine(stream)),
    };
    this.#sources.set(stream, source);
    const bytes = Buffer.from(text);
    await this.folder.append(source, { bytes, start: 0, end: bytes.length, at: this.folder.now(), rest });
  }
}
