/**
 * Listen socket: a TCP socket that colos binds and its services accept on.
 *
 * Guarantees: all instances share one queue of connections, and because colos holds the socket too, connections that
 * come while an instance restarts wait in that queue instead of being refused. colos itself accepts none.
 * Limit: until the first instance listens, connections are refused, as with any server that is not up yet.
 * Why not `server.listen()`: that would accept in colos. Node's own cluster shares sockets with the same handle; it is
 * the only way Node has to bind without accepting, and it is not in Node's documented interface, so it is checked here.
 *
 * @module
 */
import * as net from "node:net";
import { getSystemErrorName } from "node:util";
import { assertPortFree } from "../os/port-holder.ts";

/** A bound socket. The fd is inherited by children; it belongs to the handle. */
export interface ListenSocket {
  readonly port: number;
  readonly fd: number;
  close(): void;
}

interface TcpHandle {
  readonly fd: number;
  close(): void;
}

type CreateServerHandle = (address: string, port: number, type: 4 | 6, fd: -1, flags: 0) => TcpHandle | number;

/**
 * Binds `port` on `host`, an IP address; default: every IPv4 address of the machine.
 * @throws PortInUseError with who has it.
 */
export async function openListenSocket(port: number, host = "0.0.0.0"): Promise<ListenSocket> {
  await assertPortFree(port, host);
  const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle;
  if (create === undefined)
    throw new Error("this version of Node.js cannot share a listening socket; use `port` instead");
  const handle = create(host, port, host.includes(":") ? 6 : 4, -1, 0);
  if (typeof handle === "number") {
    await assertPortFree(port, host);
    const code = getSystemErrorName(handle);
    throw Object.assign(new Error(`port ${port} on ${host} cannot be bound: ${code}`), { code });
  }
  return { port, fd: handle.fd, close: () => handle.close() };
}
