import { defineTask } from "colos";

/** Squares a number, fails over one that is none, and never finishes one above 3. */
export default defineTask((_self, value: number): number | Promise<number> => {
  if (Number.isNaN(value)) throw new RangeError("not a number");
  return value > 3 ? new Promise(() => {}) : value * value;
});
