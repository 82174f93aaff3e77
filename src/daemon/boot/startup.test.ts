import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { needsProgram } from "../../../test/debian.ts";
import { exitCodes } from "../../cli/exit-codes.ts";
import {
  findStartupSystem,
  removeStartup,
  startupPlan,
  startupText,
  StartupError,
  writeStartup,
  type RunCommand,
  type StartupOptions,
  type Words,
} from "./startup.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-startup-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function options(more: Partial<StartupOptions> = {}): StartupOptions {
  return {
    system: "systemd",
    scope: "system",
    name: "colos",
    up: [process.execPath, "/opt/colos/bin.js", "up", "/srv/my app/100%.yaml", "--wait"],
    down: [process.execPath, "/opt/colos/bin.js", "down"],
    home: "/var/lib/colos",
    cwd: "/tmp",
    env: { PATH: "/usr/bin:/bin", HOME: "/root", PRICE: '5 $ "net"' },
    ...more,
  };
}

const systemd = needsProgram("systemd-analyze", "systemd");

/** What systemd itself says of a unit; nothing when it is right. */
function verified(text: string, ...flags: string[]): string {
  const unit = join(folder, "colos.service");
  writeFileSync(unit, text);
  const { stdout, stderr } = spawnSync(systemd.path, ["verify", "--man=no", ...flags, unit], {
    encoding: "utf8",
    // Without it nobody has a user's manager, and all units of users are right.
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
  });
  return (stdout + stderr)
    .split("\n")
    .filter((line) => line.includes(unit) || line.includes("colos.service"))
    .join("\n");
}

describe("startup: systemd", () => {
  test("the unit is active when the services are ready, and kills none of them", () => {
    const { text, path } = startupPlan(options());

    expect(path).toBe("/etc/systemd/system/colos.service");
    for (const line of [
      "Type=forking",
      "GuessMainPID=no",
      "KillMode=process",
      "OOMPolicy=continue",
      "Delegate=yes",
      `SuccessExitStatus=${exitCodes.noDaemon}`,
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).toContain(
      `ExecStart="${process.execPath}" "/opt/colos/bin.js" "up" "/srv/my app/100%%.yaml" "--wait"\n`,
    );
    expect(text).toContain(String.raw`Environment="PRICE=5 $ \"net\""`);
  });

  test("what is stopped while it starts is stopped too, and a start that failed stops nothing", () => {
    const line = startupPlan(options({ down: ["/bin/echo", "down", "--home", "/a b"] }))
      .text.split("\n")
      .find((text) => text.startsWith("ExecStopPost="))!;
    // systemd takes quotes and $$ as this shell does backslashes.
    const typed = line.slice("ExecStopPost=".length).replaceAll("$$", String.raw`\$`);
    const said = (result: string): string =>
      spawnSync("/bin/sh", ["-c", typed], { encoding: "utf8", env: { SERVICE_RESULT: result } }).stdout;

    expect([said("success"), said("exit-code")]).toEqual(["down --home /a b\n", ""]);
  });

  systemd.test("systemd takes the unit of the system", () => {
    expect(verified(startupPlan(options({ user: "daemon", oomScoreAdjust: -500 })).text)).toBe("");
  });

  systemd.test("systemd takes the unit of a user", () => {
    expect(verified(startupPlan(options({ scope: "user" })).text, "--user")).toBe("");
  });

  systemd.test("the check finds what is wrong", () => {
    expect(verified(startupPlan(options()).text.replace("Type=forking", "Type=sporking"))).toContain("sporking");
    const user = startupPlan(options({ scope: "user" })).text.replace("Type=forking", "Type=sporking");
    expect(verified(user, "--user")).toContain("sporking");
  });

  test("a user's unit stands in the user's folder and lingers", () => {
    const plan = startupPlan(options({ scope: "user", env: { HOME: "/home/ann" } }));

    expect(plan.path).toBe("/home/ann/.config/systemd/user/colos.service");
    expect(plan.text).not.toContain("OOMScoreAdjust");
    expect(plan.install.map((words) => words.join(" "))).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable colos.service",
      "loginctl enable-linger",
    ]);
  });

  test("what is printed says where it goes and what to type", () => {
    const text = startupText(startupPlan(options()));

    expect(text).toMatch(/^# \/etc\/systemd\/system\/colos\.service\n\[Unit\]\n/);
    expect(text).toMatch(/\n# then:\n# {3}systemctl daemon-reload\n# {3}systemctl enable colos\.service\n$/);
  });
});

describe("startup: elsewhere", () => {
  test("the script for OpenRC is one for a shell, and takes its words as they are", () => {
    const { text } = startupPlan(options({ system: "openrc", user: "ann", cwd: "/srv/ann's" }));

    const file = join(folder, "script");
    writeFileSync(file, text);
    expect(spawnSync("/bin/sh", ["-n", file], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    expect(text).toMatch(/^#!\/sbin\/openrc-run\n/);
  });

  test("the line for cron escapes what cron would break", () => {
    const { text, path } = startupPlan(options({ system: "cron", env: { PATH: "/bin" } }));

    expect(path).toBeUndefined();
    expect(text).toBe(
      `@reboot cd '/tmp' && PATH='/bin' ${process.execPath} /opt/colos/bin.js up '/srv/my app/100\\%.yaml' --wait\n`,
    );
  });

  test("the machine tells what starts it", () => {
    expect(findStartupSystem(folder)).toBe("cron");
    mkdirSync(join(folder, "sbin"));
    writeFileSync(join(folder, "sbin/openrc-run"), "");
    expect(findStartupSystem(folder)).toBe("openrc");
    mkdirSync(join(folder, "run/systemd/system"), { recursive: true });
    expect(findStartupSystem(folder)).toBe("systemd");
  });
});

describe("startup: writing and removing", () => {
  const typed: string[] = [];
  const run: RunCommand = async (words) => {
    typed.push(words.join(" "));
    return { code: 0, output: "" };
  };

  beforeEach(() => {
    typed.length = 0;
  });

  test("it is installed, may be installed again, and is taken away", async () => {
    const plan = startupPlan(options({ scope: "user", userUnits: join(folder, "units") }));

    await writeStartup(plan, run);
    await writeStartup(plan, run);
    expect(readFileSync(plan.path!, "utf8")).toBe(plan.text);
    expect(typed.slice(0, 3)).toEqual(plan.install.map((words: Words) => words.join(" ")));

    typed.length = 0;
    await removeStartup(plan, run);
    await removeStartup(plan, run);
    expect(existsSync(plan.path!)).toBe(false);
    expect(typed).toEqual(["systemctl --user disable colos.service", "systemctl --user daemon-reload"]);
  });

  test("a command that fails is told with what it said", async () => {
    const plan = startupPlan(options({ scope: "user", userUnits: folder }));
    const fails: RunCommand = async () => ({ code: 1, output: "Failed to connect to bus\n" });

    await expect(writeStartup(plan, fails)).rejects.toThrow(
      "systemctl --user daemon-reload failed (1): Failed to connect to bus",
    );
  });

  test("cron's table is left to its owner", async () => {
    await expect(writeStartup(startupPlan(options({ system: "cron" })), run)).rejects.toThrow(/crontab -e/);
    expect(typed).toEqual([]);
  });
});

describe("startup: what is refused", () => {
  for (const [what, more] of Object.entries<Partial<StartupOptions>>({
    "a name that is a path": { name: "../colos" },
    "a relative executable": { up: ["node", "up"] },
    "a relative home": { home: "home" },
    "a line break in a word": { up: [process.execPath, "up\nExecStart=/bin/evil"] },
    "a line break in a variable": { env: { PATH: "/bin\nUser=root" } },
    "a variable with no name": { env: { "A B": "c" } },
    "another user's name in a user's unit": { scope: "user", user: "ann" },
    "a user's name with a line break": { user: "ann\nExecStart=/bin/evil" },
    "a score that the kernel does not know": { oomScoreAdjust: -1_001 },
    "OpenRC for a user": { scope: "user", system: "openrc" },
  })) {
    test(`${what}`, () => {
      expect(() => startupPlan(options(more))).toThrow(StartupError);
    });
  }
});
