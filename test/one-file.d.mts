/** Makes one JavaScript file of a module and all that it imports; see one-file.mjs. */
export function oneFile(
  source: URL,
  purpose: string,
  outside?: Readonly<Record<string, string>>,
): Promise<{ readonly folder: string; readonly file: string }>;

/** Runs a runner's `main` for people. */
export function runMain(name: string, main: () => number | undefined | Promise<number | undefined>): Promise<void>;
