/**
 * Local machines: the machines that a simulated network has by name, on the one machine that there really is.
 *
 * `here`, and each name that was asked for with `networkOf`, is 127.0.0.1. So two of them cannot listen on one port.
 *
 * @module
 */
import type { Address, Network } from "../base/network.ts";

/** Where all of them are. */
const loopback = "127.0.0.1";

export class LocalMachines {
  readonly #network: Network;
  readonly #names = new Set<string>(["here"]);

  constructor(network: Network) {
    this.#network = network;
  }

  /** The network as the machine of that name sees it. */
  readonly networkOf = (machine: string): Network => {
    const network = this.#network;
    this.#names.add(machine);
    const real = (address: Address): Address =>
      this.#names.has(address.host) ? { ...address, host: loopback } : address;
    return {
      listen: (address, options) => network.listen(real(address), options),
      connect: (address, options) => network.connect(real(address), options),
      resolve: async (name) => (this.#names.has(name) ? [loopback] : network.resolve(name)),
    };
  };
}
