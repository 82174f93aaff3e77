/**
 * Chain: each service needs the one before, and says in its own way that it is ready. The first ends by itself once the last has
 * begun, so that all begin again, by their policies; so the chain stands still for ever when a readiness or an end is lost.
 *
 * ```
 * said <run>    it is about to say that it is ready
 * ```
 *
 * @module
 */
import type { DependencyEndPolicy, ServiceConfig } from "../../../src/control/config.ts";
import type { Evidence, Fact, Part } from "./part.ts";
import { begin, readyMsMax, restless } from "./script.ts";

/** Each after the one that it needs. */
const links = { brook: "spring", river: "brook", lake: "river", sea: "lake" } as const;

const after = (name: string, onEnd: DependencyEndPolicy): Pick<ServiceConfig, "dependsOn"> => ({
  dependsOn: { [name]: { condition: "ready", onEnd } },
});

const stay = "sleep 100000";

export const chain: Part = {
  name: "a readiness counts, and the end of a dependency does what its policy says, once",
  facts: ["said"],
  services: {
    spring: { command: ["sh", "spring.sh"], ...restless, ready: { fd: 3, timeoutMs: readyMsMax } },
    brook: { command: ["sh", "brook.sh"], ...after("spring", "stop"), ready: { notify: true, timeoutMs: readyMsMax } },
    river: {
      command: ["sh", "river.sh"],
      ...after("brook", "restart"),
      ready: { log: "the river runs", timeoutMs: readyMsMax },
    },
    lake: {
      command: ["sh", "lake.sh"],
      ...after("river", "stop"),
      ready: { exec: ["test", "-e", "calm"], timeoutMs: readyMsMax },
    },
    sea: { command: ["sh", "sea.sh"], ...after("lake", "restart") },
    isle: { command: ["sh", "isle.sh"], ...after("spring", "ignore") },
  },
  scripts: {
    "spring.sh": `${begin}
rm -f full
sleep 0.$((\${COLOS_RUN##*.} * 3 % 10))
echo "said $COLOS_RUN" >>facts
echo >&3
while [ ! -e full ]; do sleep 0.5; done
[ "$COLOS_RUN" = spring.1.1 ] || sleep 5
sleep 0.$((\${COLOS_RUN##*.} * 7 % 10))
`,
    // Between two recorders nobody has the socket, and who sends is told so.
    "brook.sh": `${begin}
sleep 0.$((\${COLOS_RUN##*.} * 7 % 4))
echo "said $COLOS_RUN" >>facts
until perl -e 'use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, "READY=1", 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!'; do
  sleep 0.2
done
${stay}
`,
    "river.sh": `${begin}
sleep 0.$((\${COLOS_RUN##*.} * 3 % 4))
echo "said $COLOS_RUN" >>facts
echo the river runs
${stay}
`,
    "lake.sh": `${begin}
sleep 0.$((\${COLOS_RUN##*.} * 7 % 4))
echo "said $COLOS_RUN" >>facts
echo >calm
${stay}
`,
    "sea.sh": `${begin}
rm -f calm
echo >full
${stay}
`,
    "isle.sh": `${begin}
${stay}
`,
  },
  evidence: () => new ChainEvidence(),
};

class ChainEvidence implements Evidence {
  readonly problems: string[] = [];
  /** By service. */
  readonly #newest = new Map<string, string>();
  readonly #said = new Set<string>();
  /** Whose start followed the newest run of what it needs. */
  readonly #followed = new Set<string>();

  take({ what, run, service }: Fact): void {
    if (what === "said") this.#said.add(run);
    if (what !== "start") return;
    if (service === "isle" && this.#newest.has(service)) this.problems.push(`${run} began, and its policy is ignore`);
    this.#newest.set(service, run);
    for (const [follower, needed] of Object.entries(links)) if (needed === service) this.#followed.delete(follower);
    const needed = links[service as keyof typeof links] as string | undefined;
    if (needed === undefined) return;
    const before = this.#newest.get(needed) ?? `no run of ${needed}`;
    if (!this.#said.has(before)) this.problems.push(`${run} began before ${before} was ready`);
    if (this.#followed.has(service)) this.problems.push(`${run} began as another after ${before}, which has not ended`);
    this.#followed.add(service);
  }

  pending(): readonly string[] {
    return Object.entries(links).flatMap(([follower, needed]) => {
      const run = this.#newest.get(needed) ?? needed;
      return this.#said.has(run) && !this.#followed.has(follower)
        ? [`${run} has said that it is ready, and no ${follower} has begun`]
        : [];
    });
  }
}
