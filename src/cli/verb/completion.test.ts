/** The script is run by a real bash; `colos` there is a function that says what `colos ps --quiet` would. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { FakeHost } from "../../../test/fake-cli-host.ts";
import { needsProgram } from "../../../test/debian.ts";
import { runCli } from "../main.ts";
import { verbs } from "../verbs.ts";

const bash = needsProgram("bash", "bash");

async function scriptFor(shell: string): Promise<string> {
  const host = new FakeHost();
  expect(await runCli(["completion", shell], host)).toBe(0);
  return host.stdout.text;
}

/** What bash offers for the last of the words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const script = `
colos() {
  case "$*" in
    "ps --quiet") printf 'db\\nweb\\nweb.2\\n' ;;
    "ps --quiet --tags") printf '@backend\\n@blue\\n' ;;
    *) printf '%s\\n' "asked:$3:$4" ;;
  esac
}
${await scriptFor("bash")}
COMP_WORDS=(colos "$@"); COMP_CWORD=$#
_colos
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync(bash.path, ["-c", script, "bash", ...words], { encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return [...new Set(stdout.split("\n").filter((line) => line !== ""))].toSorted();
}

bash.describe("completion: bash", () => {
  test("offers every verb", async () => {
    expect(await offered("")).toEqual([...Object.keys(verbs), "help", "--help", "--version"].toSorted());
  });

  test.each([
    [["rest"], ["restart"]],
    [
      ["start", ""],
      ["@backend", "@blue", "all", "db", "web", "web.2"],
    ],
    [["stop", "db", "@ba"], ["@backend"]],
    [
      ["stop", "@"],
      ["@backend", "@blue"],
    ],
    [["stop", "@", "ba"], ["@backend"]],
    [["chaos", "--fault", "stop-"], ["stop-os-process"]],
    [["chaos", "-f", "stop-"], ["stop-os-process"]],
    [
      ["logs", "-f", "w"],
      ["web", "web.2"],
    ],
    [
      ["start", "db", "w"],
      ["web", "web.2"],
    ],
    [["start", "--no"], ["--no-wait"]],
    [["logs", "--level", "w"], ["warn"]],
    [
      ["run", "--restart", "t"],
      ["temporary", "transient"],
    ],
    [
      ["completion", ""],
      ["bash", "fish", "zsh"],
    ],
    [["help", "sc"], ["scale"]],
    [["ps", "d"], ["db"]],
    [["tree", ""], []],
    [["nonsense", ""], []],
    [["stop", "--home", "/h", "ask"], ["asked:--home:/h"]],
  ])("%j", async (words, offers) => {
    expect(await offered(...words)).toEqual(offers);
  });
});

describe("completion: other shells", () => {
  test("fish is told of every verb", async () => {
    const script = await scriptFor("fish");

    for (const name of Object.keys(verbs)) expect(script).toContain(` -a ${name} -d '`);
  });

  test.each(["", "csh"])("%j is no shell that is known", async (shell) => {
    const host = new FakeHost();

    expect(await runCli(["completion", ...(shell === "" ? [] : [shell])], host)).toBe(2);
    expect(host.stderr.text).toBe("colos completion: name a shell: colos completion bash|zsh|fish\n");
  });
});
