/**
 * Layout: the folders of `src/`, what each may import, and which are engine-neutral. The one place where this
 * table stands as data; ARCHITECTURE.md shows the same table to people.
 *
 * @module
 */

/** A folder of interchangeable implementations of one contract. */
interface Plural {
  /** The contract's file, without its extension. */
  readonly contract: string;
  /** Implementations without host types; † lets others import these and the contract, nothing else. */
  readonly neutral: readonly string[];
  /** What several implementations are made of; no implementation itself. */
  readonly shared?: readonly string[];
}

/** One row of the table. */
export interface Folder {
  /** Compiled with no host types: no timers, no randomness, no `node:` module. */
  readonly neutral: boolean;
  /** Folders it may import as a whole. */
  readonly imports: readonly string[];
  /** Plural folders of which it may import the contract and the neutral implementations (†). */
  readonly contracts: readonly string[];
  /** Present when its own files are implementations of one contract. */
  readonly plural?: Plural;
}

const contracts = ["carriers", "runtimes", "stores"] as const;

const neutralFolders = {
  base: neutral(""),
  kernel: neutral("base"),
  server: neutral("base kernel"),
  supervisor: neutral("base kernel server"),
  context: neutral("base kernel"),
  telemetry: neutral("base kernel"),
  failure: neutral("base kernel telemetry"),
  loader: neutral("base kernel", "stores"),
  command: neutral("base kernel context", "stores"),
  control: neutral("base context"),
  faults: neutral("base kernel context", ...contracts),
  sim: neutral("base kernel server supervisor context telemetry failure loader command faults", "carriers", "stores"),
} satisfies Record<string, Folder>;

const pluginFolders = {
  // os/ knows who is left of a process group; only host-bound carriers may ask it.
  carriers: plural("base kernel context os", {
    contract: "carrier",
    neutral: ["coroutine"],
    shared: ["hosted-kernel", "host-options"],
  }),
  runtimes: plural("base kernel context loader", { contract: "runtime", neutral: [] }),
  stores: plural("base", { contract: "store", neutral: ["memory"] }),
} satisfies Record<(typeof contracts)[number], Folder>;

const faces = ["cli", "dashboard", "mcp"];
const outsideDaemon = new Set([...faces, "daemon", "sim", "testing"]);

const hostFolders = {
  platforms: host("base"),
  os: host("base failure"),
  // os/ tells an OS process from a later one of its number, which an injector asks before it strikes or undoes.
  testing: { ...host(`${Object.keys(neutralFolders).join(" ")} os`), contracts },
  ...Object.fromEntries(faces.map((face) => [face, host("base context command control platforms")])),
};

/** Every folder that `src/` may have. */
export const layout: Readonly<Record<string, Folder>> = {
  ...neutralFolders,
  ...pluginFolders,
  ...hostFolders,
  daemon: host(
    Object.keys({ ...neutralFolders, ...pluginFolders, ...hostFolders })
      .filter((name) => !outsideDaemon.has(name))
      .join(" "),
  ),
};

/** The folder of `src/` that a path belongs to; undefined for a file directly in `src/`. */
export function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** True when the file must be free of host types: in a neutral folder, or a † file of a plural one. */
export function isNeutral(path: string): boolean {
  const name = folderOf(path);
  if (name === undefined) return false;
  const folder = layout[name];
  return folder !== undefined && (folder.neutral || isContractFile(path));
}

/** True for the † files of a plural folder: its contract and its neutral implementations. */
export function isContractFile(path: string): boolean {
  const member = memberOf(path);
  const rules = layout[folderOf(path) ?? ""]?.plural;
  return member !== undefined && rules !== undefined && [rules.contract, ...rules.neutral].includes(member);
}

/** Which member of its folder a path is: `thread` for `src/carriers/thread.ts` and `src/carriers/thread/entry.ts`. */
export function memberOf(path: string): string | undefined {
  return /^src\/[^/]+\/([^/]+?)(?:\.test)?(?:\.ts$|\/)/.exec(path)?.[1];
}

/** Why `from` may not import `to` (both paths below `src/`), or undefined when it may. */
export function importProblem(from: string, to: string): string | undefined {
  const source = folderOf(from);
  const target = folderOf(to);
  if (source === undefined) return undefined;
  if (target === undefined) return `${source}/ imports ${to}, a composition root; only other root files may`;
  if (source === target) return siblingProblem(from, to);
  const rules = layout[source];
  if (isNeutral(from) && !isNeutral(to)) return `neutral code imports ${to}`;
  if (rules === undefined || rules.imports.includes(target)) return undefined;
  if (!rules.contracts.includes(target)) return `${source}/ may not import ${target}/`;
  return isContractFile(to) ? undefined : `${source}/ may import only the contract of ${target}/, not ${to}`;
}

/** Members of a plural folder know their contract and their own parts, never each other. */
function siblingProblem(from: string, to: string): string | undefined {
  const rules = layout[folderOf(from) ?? ""]?.plural;
  const target = memberOf(to);
  const source = memberOf(from);
  if (rules === undefined || target === rules.contract || source === "index") return undefined;
  if (rules.shared?.some((name) => isPartOf(target, name)) === true) return undefined;
  return isPartOf(target, source) || isPartOf(source, target) || isSamePart(source, target)
    ? undefined
    : `siblings never import each other: ${to}`;
}

/** `thread-entry` is a part of `thread`. */
function isPartOf(part: string | undefined, whole: string | undefined): boolean {
  return part !== undefined && whole !== undefined && (part === whole || part.startsWith(`${whole}-`));
}

/** `thread-uplink` and `thread-channel` are parts of the same `thread`. */
function isSamePart(one: string | undefined, other: string | undefined): boolean {
  const whole = one?.slice(0, one.lastIndexOf("-"));
  return one !== undefined && one.includes("-") && isPartOf(other, whole);
}

function neutral(imports: string, ...only: string[]): Folder {
  return { neutral: true, imports: words(imports), contracts: only };
}

function plural(imports: string, rules: Plural): Folder {
  return { neutral: false, imports: words(imports), contracts: [], plural: rules };
}

function host(imports: string): Folder {
  return { neutral: false, imports: words(imports), contracts: [] };
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}
