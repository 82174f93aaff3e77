/**
 * Listen options: how a Node server listens on the socket that colos handed it (LISTEN_FDS, sd_listen_fds(3)).
 *
 * @module
 */

/** The first file descriptor that is handed on, as sd_listen_fds(3) has it. */
const listenFdsStart = 3;

/**
 * What to give `server.listen`: the socket of the service's `listen`, or `port` when colos did not hand one on, so that
 * the program also runs by itself: `server.listen(listenOptions(8080))`.
 */
export function listenOptions(port: number): { readonly fd: number } | { readonly port: number } {
  const fd = handedFd();
  return fd === undefined ? { port } : { fd };
}

/** The listening socket that this OS process was handed; undefined when it was handed none. */
export function handedFd(): number | undefined {
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  return LISTEN_PID === String(process.pid) && Number(LISTEN_FDS) >= 1 ? listenFdsStart : undefined;
}
