/** What the shop's processes say to each other. */

/** The name of the process that is one customer's session. */
export const sessionName = (customer: number): string => `session ${customer}`;

/** To a session; each is answered with the basket. */
export type SessionRequest =
  | { readonly type: "basket" }
  | { readonly type: "add"; readonly item: Item }
  | { readonly type: "crash" };

export interface Item {
  readonly name: string;
  readonly price: number;
}

export interface Basket {
  readonly customer: number;
  readonly items: readonly Item[];
  readonly total: number;
}

/** To the process named `sessions`; answered with `SessionsStatus`. */
export type SessionsRequest = { readonly type: "status" };

export interface SessionsStatus {
  readonly running: number;
  readonly restarts: number;
}

/** To the process named `pricing`; a quote is answered with a number. */
export type PricingRequest =
  | { readonly type: "quote"; readonly total: number }
  | { readonly type: "ping" }
  | { readonly type: "loop" };
