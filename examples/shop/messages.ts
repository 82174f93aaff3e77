/** What the shop's processes say to each other. */
import type { Pid } from "colos";

/** To the process of one customer's session. */
export type SessionRequest =
  | { readonly type: "add"; readonly item: string; readonly price: number }
  | { readonly type: "basket" }
  | { readonly type: "crash" };

export interface Basket {
  readonly customer: number;
  readonly items: readonly { readonly item: string; readonly price: number }[];
  readonly total: number;
}

/** To the process named `sessions`. */
export type SessionsRequest = { readonly type: "find"; readonly customer: number } | { readonly type: "count" };

export interface SessionsCount {
  readonly running: number;
  readonly restarts: number;
}

/** To the process named `pricing`. */
export type PricingRequest =
  | { readonly type: "quote"; readonly total: number }
  | { readonly type: "ping" }
  | { readonly type: "loop" };

export type SessionPid = Pid<never>;
