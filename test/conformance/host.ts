/**
 * Host: the program that stands on the carrier under test and spawns, in its kernel, the subjects that it is asked for.
 *
 * @module
 */
import { defineProgram, Request, type AnyProcess, type SpawnOptions } from "colos";
import { subjects } from "./subjects.ts";

/** What the host is asked for. */
export interface SpawnOrder {
  /** A name in `subjects`. */
  readonly subject: string;
  readonly args: readonly unknown[];
  readonly options?: Pick<SpawnOptions, "name" | "label" | "mailbox">;
}

export default defineProgram(async (self: AnyProcess) => {
  for (;;) {
    const request = (await self.receive((message) => message instanceof Request)) as Request;
    const { subject, args, options } = request.body as SpawnOrder;
    const body = subjects[subject];
    if (body === undefined) throw new Error(`there is no subject ${subject}`);
    self.reply(request.from, self.spawn(body, { ...options, args }));
  }
});
