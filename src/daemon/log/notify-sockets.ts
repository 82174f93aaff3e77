/**
 * Notify sockets: Unix datagram sockets on which services speak sd_notify(3).
 *
 * Node has no Unix datagram sockets, so a small OS process of perl binds them and prints what comes; one for all sockets,
 * started with the first. It ends with its stdin, that is with the recorder.
 * Guarantees: a datagram is one note, as long as `datagramBytesMax`; file descriptors that come with it are closed, which is what
 * BARRIER=1 waits for. When perl is killed it is started again, and all sockets are bound again.
 * Limits: what is sent while nobody has the socket bound is refused by the OS, and the sender is told. No abstract sockets.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** The longest message of sd_notify(3) that is taken, in bytes. */
export const datagramBytesMax = 4_096;
/** How often perl is started again for one socket before that is given up. */
const restartsMax = 5;

/* Commands: `+<key> <path in hex>`, `-<key>`. Answers: `=<key> <problem>`, and `<key> <datagram in hex>`. */
const script = String.raw`
use strict; use warnings; use Socket; $| = 1; $SIG{PIPE} = 'IGNORE';
my (%sockets, %paths); my $rest = '';
for (;;) {
  my $read = ''; vec($read, 0, 1) = 1;
  vec($read, fileno($_), 1) = 1 for values %sockets;
  next if select($read, undef, undef, undef) < 0;
  if (vec($read, 0, 1)) {
    my $count = sysread(STDIN, $rest, 65536, length $rest);
    exit 0 unless $count;
    while ($rest =~ s/^([^\n]*)\n//) {
      my $line = $1;
      if ($line =~ /^\+(\d+) ([0-9a-f]+)$/) {
        my ($key, $path) = ($1, pack('H*', $2));
        unlink $path; my $old = umask 0; my $socket;
        my $bound = socket($socket, AF_UNIX, SOCK_DGRAM, 0) && bind($socket, sockaddr_un($path));
        my $problem = $bound ? '' : "$!"; umask $old;
        if ($bound) { $sockets{$key} = $socket; $paths{$key} = $path; }
        print "=$key $problem\n";
      } elsif ($line =~ /^-(\d+)$/ && $sockets{$1}) {
        close $sockets{$1}; unlink $paths{$1}; delete $sockets{$1}; delete $paths{$1};
      }
    }
  }
  for my $key (keys %sockets) {
    next unless vec($read, fileno($sockets{$key}), 1);
    my $from = recv($sockets{$key}, my $datagram, ${datagramBytesMax}, 0);
    print "$key " . unpack('H*', $datagram) . "\n" if defined $from;
  }
}`;

interface Problem {
  readonly sentence: string;
  readonly cause?: Error;
}

interface Bound {
  readonly key: number;
  readonly path: string;
  readonly take: (datagram: string) => void;
  readonly settle: (problem: Problem | undefined) => void;
  restartsLeft: number;
}

export class NotifySockets {
  readonly #bound = new Map<number, Bound>();
  #nextKey = 1;
  #perl: ChildProcess | undefined;

  /**
   * Binds the path, and calls `take` for each datagram. Returns what closes it.
   * @throws Error with a sentence when that cannot be done; its cause is that of the OS when no OS process could be started
   */
  async bind(path: string, take: (datagram: string) => void): Promise<() => void> {
    const key = this.#nextKey++;
    const problem = await new Promise<Problem | undefined>((settle) => {
      this.#bound.set(key, { key, path, take, settle, restartsLeft: restartsMax });
      this.#start();
      this.#tell(key, path);
    });
    if (problem === undefined) return () => this.#close(key);
    this.#close(key);
    throw new Error(`the notify socket ${path} cannot be bound: ${problem.sentence}`, { cause: problem.cause });
  }

  /** Ends perl. */
  close(): void {
    this.#bound.clear();
    this.#perl?.stdin?.end();
    this.#perl = undefined;
  }

  #close(key: number): void {
    if (!this.#bound.delete(key)) return;
    if (this.#bound.size === 0) this.close();
    else this.#perl?.stdin?.write(`-${key}\n`);
  }

  #tell(key: number, path: string): void {
    this.#perl?.stdin?.write(`+${key} ${Buffer.from(path).toString("hex")}\n`);
  }

  #start(): void {
    if (this.#perl !== undefined) return;
    const perl: ChildProcess = spawn("perl", ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
    this.#perl = perl;
    // Without file descriptors there are no pipes either; `error` says so.
    perl.stdin?.on("error", () => {}); // it has ended; `exit` says so
    if (perl.stdout) createInterface({ input: perl.stdout }).on("line", (line) => this.#read(line));
    perl.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT")
        this.#failed(perl, { sentence: "that takes perl, which is not installed (Debian: perl-base)" });
      else this.#failed(perl, { sentence: error.message, cause: error });
    });
    perl.once("exit", () => this.#failed(perl, { sentence: "perl has ended again and again" }));
  }

  #read(line: string): void {
    const answer = /^=(\d+) (.*)$/.exec(line);
    if (answer !== null) this.#bound.get(Number(answer[1]))?.settle(answer[2] ? { sentence: answer[2] } : undefined);
    const [key = "", hex = ""] = line.split(" ");
    if (answer === null) this.#bound.get(Number(key))?.take(Buffer.from(hex, "hex").toString("utf8"));
  }

  #failed(perl: ChildProcess, problem: Problem): void {
    if (this.#perl !== perl) return;
    this.#perl = undefined;
    for (const bound of this.#bound.values()) {
      if (perl.pid === undefined || bound.restartsLeft-- === 0) {
        bound.settle(problem);
        this.#bound.delete(bound.key);
      }
    }
    if (this.#bound.size === 0) return;
    this.#start();
    for (const { key, path } of this.#bound.values()) this.#tell(key, path);
  }
}
