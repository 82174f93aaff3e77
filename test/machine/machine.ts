/**
 * Machine: a virtual machine with systemd as its first OS process, to be asked by ssh.
 *
 * Guarantees: nothing of it is left after `end`. Limits: `bootTimeoutMs`, `commandTimeoutMs`. Without /dev/kvm it is some ten times slower.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

/** How long a boot may take until ssh answers, in milliseconds. */
export const bootTimeoutMs = 300_000;
/** How long a command may take unless it says otherwise, in milliseconds. */
export const commandTimeoutMs = 400_000;
const memoryMebibytes = 2_048;
/** What is kept of what a command says. */
const saidMaxChars = 1_000_000;

export interface Answer {
  /** 255 when ssh itself failed. */
  readonly code: number;
  /** stdout and stderr, in the order of their coming. */
  readonly said: string;
}

export interface Asked {
  readonly user?: "root" | "person";
  readonly timeoutMs?: number;
}

/** Files that image.sh has made in `folder`. */
export class Machine {
  readonly #folder: string;
  readonly #port: number;
  #emulator: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(folder: string): Promise<Machine> {
    const machine = new Machine(folder, await freePort());
    await machine.#boot();
    return machine;
  }

  /** Whether the processor runs it itself. A machine that is virtual may have /dev/kvm, and no kernel boots under it. */
  static get isFast(): boolean {
    try {
      accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
      return /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
    } catch {
      return false;
    }
  }

  /** What opens a login session of root, for a person. */
  get command(): readonly string[] {
    return this.#session("root");
  }

  /** Runs a shell script in a login session of its own. */
  ask(script: string, asked: Asked = {}): Promise<Answer> {
    return this.#run("bash -s", script, asked);
  }

  /** Gives the bytes to a command. @throws Error with what it said */
  async put(bytes: Buffer, command: string): Promise<void> {
    const { code, said } = await this.#run(command, bytes, {});
    if (code !== 0) throw new Error(`${command} failed (${code}): ${said}`);
  }

  #session(user: string): string[] {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=5"];
    const words = options.flatMap((each) => ["-o", each]);
    return ["ssh", "-i", join(this.#folder, "key"), "-p", String(this.#port), ...words, `${user}@127.0.0.1`];
  }

  async #run(
    command: string,
    input: string | Buffer,
    { user = "root", timeoutMs = commandTimeoutMs }: Asked,
  ): Promise<Answer> {
    const [program = "", ...words] = this.#session(user);
    const ssh = spawn(program, [...words, command], { timeout: timeoutMs });
    let said = "";
    const take = (data: Buffer): void => void (said = (said + data.toString()).slice(-saidMaxChars));
    ssh.stdout.on("data", take);
    ssh.stderr.on("data", take);
    ssh.stdin.on("error", () => {}); // it ended before it had read all
    ssh.stdin.end(input);
    const [code] = (await once(ssh, "close")) as [number | null];
    return { code: code ?? 255, said };
  }

  /** Takes the power away and gives it again: nothing is synced, nobody is told. */
  async cutPower(): Promise<void> {
    await this.end();
    await this.#boot();
  }

  /** A restart in order: systemd stops its units. */
  async reboot(): Promise<void> {
    const { said: before } = await this.ask("cat /proc/sys/kernel/random/boot_id");
    const asksToLogin = this.#asksToLogin();
    await this.ask("systemctl reboot");
    await asksToLogin;
    await this.#answers(before);
  }

  async end(): Promise<void> {
    const emulator = this.#emulator;
    this.#emulator = undefined;
    if (emulator === undefined || emulator.exitCode !== null || emulator.signalCode !== null) return;
    emulator.kill("SIGKILL");
    await once(emulator, "exit");
  }

  async #boot(): Promise<void> {
    this.#power();
    await this.#asksToLogin();
    await this.#answers("");
  }

  /** Settles when the console asks somebody to log in, from now on. */
  async #asksToLogin(): Promise<void> {
    const timeout = AbortSignal.timeout(bootTimeoutMs);
    const terminal = this.#emulator?.stdout;
    if (terminal === undefined || terminal === null) throw new Error("the machine has no console");
    let said = "";
    while (!said.endsWith(" login: ")) {
      const [data] = (await once(terminal, "data", { signal: timeout })) as [Buffer];
      said = (said + data.toString("latin1")).slice(-saidMaxChars);
    }
  }

  /** Settles when ssh answers, of another boot than that one. */
  async #answers(before: string): Promise<void> {
    const dueMs = performance.now() + bootTimeoutMs;
    for (;;) {
      const { code, said } = await this.ask("cat /proc/sys/kernel/random/boot_id", { timeoutMs: 30_000 });
      if (code === 0 && said !== before) return;
      if (performance.now() > dueMs) throw new Error(`the machine did not boot within ${bootTimeoutMs} ms: ${said}`);
    }
  }

  #power(): void {
    const file = (name: string): string => join(this.#folder, name);
    this.#emulator = spawn(
      "qemu-system-x86_64",
      [
        ...[
          "-accel",
          Machine.isFast ? "kvm" : "tcg,thread=multi",
          "-cpu",
          "max",
          "-m",
          String(memoryMebibytes),
          "-smp",
          "2",
        ],
        ...["-display", "none", "-monitor", "none", "-serial", "stdio"],
        ...["-kernel", file("vmlinuz"), "-initrd", file("initrd")],
        ...["-append", "console=ttyS0 quiet systemd.unified_cgroup_hierarchy=1"],
        ...["-drive", `file=${file("disk")},format=raw,if=virtio,cache=writeback`],
        ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${this.#port}-:22`],
        ...["-device", "virtio-net-pci,netdev=net,romfile="],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#emulator.stdout?.resume();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
