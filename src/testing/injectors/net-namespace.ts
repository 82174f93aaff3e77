/**
 * Net namespace: the victim has a network of its own that consists of the loopback interface alone. Names cannot be
 * resolved in it (`dns-failure`, as long as the victim lives), and the loopback interface is switched off (`net-down`).
 *
 * Limits: a victim in it never reaches anything outside, also when nothing strikes; Unix sockets and pipes still work.
 *
 * @module
 */
import { openInjectors, over, probing, type Ground, type Injector, type OpenInjector } from "../injector.ts";
import { withVictim } from "../victim.ts";

export const netNamespace: Injector = {
  name: "net-namespace",
  faults: ["net-down", "dns-failure"],
  needs: "unshare, nsenter and ip, and a kernel that gives this user a user namespace, or root",
  debianPackage: "iproute2",
  attaches: false,
  namespaces: ["net"],
  undoneBy: "a guard that switches the interface on; and the network is gone with its last victim",
  probe: () =>
    probing(async (folder) => {
      const arsenal = await openInjectors([netNamespace], { folder, limitMs: 10_000 });
      try {
        return await withVictim(async (victim) => {
          const strike = await arsenal.strike(netNamespace, "net-down", victim, { forMs: 5000 });
          const during = await victim.run(interfaces);
          await strike.undo();
          const after = await victim.run(interfaces);
          return during === "" && after === "lo" ? undefined : `interfaces were "${during}", and afterwards "${after}"`;
        }, arsenal.wrap);
      } finally {
        await arsenal.close();
      }
    }),
  open: openNet,
};

const interfaces = 'return Object.keys(require("os").networkInterfaces()).join()';

async function openNet({ namespaces }: Ground): Promise<OpenInjector> {
  if (namespaces === undefined) throw new Error("a net namespace is none without one");
  return {
    wrap: (start) => start,
    strike: async (fault, _target, { forMs }) =>
      fault === "dns-failure"
        ? over
        : namespaces.guard({ does: "ip link set lo down", undoes: "ip link set lo up", limitMs: forMs }),
    close: async () => {},
  };
}
