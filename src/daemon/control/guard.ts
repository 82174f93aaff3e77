/**
 * Guard: keeps browsers out. A web page cannot open a Unix socket, but it can reach a port that somebody has tied to it
 * (a proxy, `ssh -L`), with the rights of the person who looks at the page.
 *
 * Guarantees: a request that a page could make is refused before anything is read of it: each has an `Origin`, or a
 * `Sec-Fetch-Site`, or a `Host` of the page's own (DNS rebinding), or a body of a type that forms can send.
 *
 * @module
 */
import type { IncomingHttpHeaders } from "node:http";
import { problem, type Problem } from "../../control/problem.ts";

/** What a client may call the daemon; the port does not matter. */
export const hostNames: readonly string[] = ["localhost", "colos"];

/** Why a request is refused; undefined when it may pass. */
export function refusalOf(method: string, headers: IncomingHttpHeaders): Problem | undefined {
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
    return problem("invalid", "the request comes from a browser, and the control API is not for web pages", {
      status: 403,
      advice: "Use colos, curl --unix-socket, or a program of your own.",
    });
  }
  const host = headers.host?.replace(/:\d*$/, "").toLowerCase();
  if (host === undefined || !hostNames.includes(host)) {
    return problem("invalid", `the header Host is not one of ${hostNames.join(", ")}`, {
      status: 403,
      advice: "Write http://localhost/… as the address.",
    });
  }
  return method === "POST" ? refusalOfBody(headers) : undefined;
}

function refusalOfBody(headers: IncomingHttpHeaders): Problem | undefined {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  const type = headers["content-type"];
  const isJson = type !== undefined && /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type);
  if (type === undefined ? !hasBody : isJson) return undefined;
  return problem("invalid", `the body is ${type ?? "of no type"}, not application/json`, {
    status: 415,
    advice: "Add the header Content-Type: application/json.",
  });
}
