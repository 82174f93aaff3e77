/**
 * The examples of docs/control-api.md, run: each command after `<!-- curl -->` answers what stands below it, and more.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { managerGroups } from "../src/control/manager-routes.ts";
import { serveControl } from "../src/daemon/control/control-server.ts";
import { controlLimitsDefault } from "../src/daemon/control/limits.ts";
import { needsProgram } from "./debian.ts";
import { FakeManager } from "./fake-manager.ts";

const document = readFileSync(new URL("../docs/control-api.md", import.meta.url), "utf8");
const examples = [...document.matchAll(/<!-- curl -->\n```sh\n(.*?)```\n```json\n(.*?)```\n/gs)];

/** What a shell command writes. */
function output(command: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const shell = spawn("sh", ["-ec", command], { env, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    shell.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
    shell.on("error", reject);
    shell.on("close", () => resolve(text));
  });
}

const { test } = needsProgram("curl", "curl");

test("there are examples", () => expect(examples.length).toBeGreaterThan(3));

for (const [, command, answer] of examples) {
  test(command!.trim(), async () => {
    const home = mkdtempSync(join(tmpdir(), "colos-document-"));
    const socket = join(home, "control.sock");
    const server = await serveControl({ socket, manager: new FakeManager(), log: () => {}, version: "0.1.0" });

    const text = await output(command!, { ...process.env, COLOS_HOME: home });
    await server.close();
    rmSync(home, { recursive: true });

    expect(JSON.parse(text)).toMatchObject(JSON.parse(answer!) as object);
  });
}

test("the table has every interface and endpoint", () => {
  for (const [group, names] of Object.entries(managerGroups)) {
    expect(document).toContain(`| \`${group}\` | ${names.map((name) => `\`${name}\``).join(", ")} |`);
  }
});

test("the limits are those that hold", () => {
  const { connectionsMax, readsMax, actsMax, streamsMax, bodyDepthMax } = controlLimitsDefault;
  expect(document).toContain(`idle longest | ${connectionsMax} |`);
  expect(document).toContain(`under way | ${readsMax}, ${actsMax}, ${streamsMax} |`);
  expect(document).toContain(`in a body | ${bodyDepthMax} |`);
});
