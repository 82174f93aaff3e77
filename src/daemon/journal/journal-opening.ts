/**
 * Journal opening: reads what an earlier OS process left of a journal, decides whether it can be gone on with, and does.
 *
 * Guarantees: what a newer colos wrote, and what is damaged in the middle, is refused and stays as it is; a torn end, which a crash leaves,
 * is cut off. With `salvage` the damaged file is kept beside the new one.
 * Limits: `damagedFilesMax`.
 *
 * @module
 */
import { FileError, isFileError, type FileSystem } from "../../base/file-system.ts";
import { readFile, writeAll } from "../../base/whole-files.ts";
import { journalFormat, scanJournal, type JournalLine, type JournalScan } from "./journal-lines.ts";
import { OpenJournal } from "./journal-writing.ts";
import { JournalError, type Journal, type JournalOptions, type JournalPlace } from "./journal.ts";

/** How many damaged files are kept beside the journal; one more is refused. */
export const damagedFilesMax = 20;

/** Reads what is there and makes it durable. @throws JournalError, FileError when it cannot be read */
export async function openJournal<State, Entry>(options: JournalOptions<State, Entry>): Promise<Journal<State, Entry>> {
  const { files, path } = options;
  const bytes = (await files.exists(path)) ? await readFile(files, path) : undefined;
  if (bytes === undefined) return OpenJournal.start(options, options.initial, 0, { entriesCount: 0, cutBytes: 0 });
  const scan = scanJournal(bytes);
  checkVersion(scan, options);
  const { damage } = scan;
  if (damage === undefined || damage.isTornTail) {
    const state = folded(scan.lines, scan, options);
    const recovery = { entriesCount: scan.lines.length, cutBytes: damage?.sizeBytes ?? 0 };
    return OpenJournal.start(options, state, scan.generation, recovery);
  }
  if (options.salvage !== true) throw damagedError(path, damage.lineNumber);
  const damagedFile = await keepDamaged(files, path, bytes);
  const { state, entriesCount } = salvaged([...scan.lines, ...scan.beyond], scan, options);
  return OpenJournal.start(options, state, scan.generation, { entriesCount, cutBytes: 0, damagedFile });
}

/** Whether a program that knows entries up to `version` could open what is there; a file that is not there, it can. @throws JournalError */
export async function checkJournal({ files, path, version }: JournalPlace): Promise<void> {
  if (!(await files.exists(path))) return;
  checkVersion(scanJournal(await readFile(files, path)), { path, version });
}

function checkVersion(scan: JournalScan, { path, version }: Omit<JournalPlace, "files">): void {
  const isNewer = (scan.format ?? 0) > journalFormat || (scan.version ?? 0) > version;
  if (!isNewer) return;
  throw new JournalError(
    "newer",
    `${path} was written by a newer colos (format ${scan.format}, version ${scan.version}; this one knows format ${journalFormat}, ` +
      `version ${version}): start that colos again, or move the file away to begin without it`,
  );
}

function folded<State, Entry>(
  lines: readonly JournalLine[],
  scan: JournalScan,
  options: JournalOptions<State, Entry>,
): State {
  let state = options.initial;
  for (const line of lines) {
    try {
      state = options.fold(state, options.decode(line.value, scan.version ?? options.version));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const where = `line ${line.lineNumber} of ${options.path}`;
      throw new JournalError("invalid", `${where} makes no sense to this colos: ${why}`, { cause: error });
    }
  }
  return state;
}

/** What can be folded of what is whole; something is missing between it. */
function salvaged<State, Entry>(
  lines: readonly JournalLine[],
  scan: JournalScan,
  options: JournalOptions<State, Entry>,
): { readonly state: State; readonly entriesCount: number } {
  let state = options.initial;
  let entriesCount = 0;
  for (const line of lines) {
    try {
      state = options.fold(state, options.decode(line.value, scan.version ?? options.version));
      entriesCount += 1;
    } catch {
      // It stood on what is lost; the damaged file is kept.
    }
  }
  return { state, entriesCount };
}

function damagedError(path: string, lineNumber: number): JournalError {
  return new JournalError(
    "damaged",
    `${path} is damaged in line ${lineNumber}, in what the disk had promised to keep: put a copy of the file back, ` +
      `or set COLOS_SALVAGE=1 for one start to go on with what is whole (the damaged file is kept beside it)`,
  );
}

async function keepDamaged(files: FileSystem, path: string, bytes: Uint8Array): Promise<string> {
  for (let number = 1; number <= damagedFilesMax; number += 1) {
    const kept = `${path}.damaged-${number}`;
    try {
      const file = await files.open(kept, { write: true, create: true, exclusive: true });
      try {
        await writeAll(file, bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      return kept;
    } catch (error) {
      if (!isFileError(error, "EEXIST")) throw error;
    }
  }
  throw new FileError("EEXIST", "open", `${path}.damaged-${damagedFilesMax}`);
}
