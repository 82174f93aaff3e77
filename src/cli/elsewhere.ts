/**
 * Elsewhere: what other managers call what colos does, so that a habit gets an answer.
 *
 * @module
 */

/** What to write here, by the verb of another manager. */
const verbsElsewhere: Readonly<Record<string, string>> = {
  ...{ list: "colos ps", ls: "colos ps", l: "colos ps", jlist: "colos ps --json", status: "colos ps" },
  ...{ top: "colos ps", monit: "colos ps", monitor: "colos ps" },
  ...{ delete: "colos remove", del: "colos remove", rm: "colos remove", disable: "colos stop", enable: "colos start" },
  ...{ describe: "colos show", desc: "colos show", info: "colos show", inspect: "colos show", env: "colos show" },
  ...{ log: "colos logs", tail: "colos logs -f", maintail: "colos logs -f", fg: "colos attach" },
  ...{ signal: "colos kill", sendSignal: "colos kill", ping: "colos heart", shutdown: "colos down" },
  ...{ reread: "colos plan", apply: "colos up", unstartup: "colos startup --remove", ecosystem: "colos init" },
};

/** Verbs of others that nobody needs here, and why. */
const needlessElsewhere: Readonly<Record<string, string>> = {
  save: "nothing needs to be saved: what was started stays known, and colos startup makes the machine start it",
  dump: "nothing needs to be saved: what was started stays known, and colos startup makes the machine start it",
  resurrect: "colos up starts what the config says, and colos startup makes the machine do so",
  "daemon-reload": "there is nothing to read anew: colos plan shows what colos up would change",
  flush: "logs are rotated within their budget; colos show <name> says where they are",
  reloadLogs: "log files are rotated by colos, and may be moved or removed at any time",
};

/** What to put behind a sentence about an unknown verb; undefined when nobody else has it. */
export function elsewhereClause(verb: string): string | undefined {
  if (Object.hasOwn(needlessElsewhere, verb)) return `; ${needlessElsewhere[verb]}`;
  return Object.hasOwn(verbsElsewhere, verb) ? `; here that is ${verbsElsewhere[verb]}` : undefined;
}
