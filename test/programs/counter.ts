import { defineServer } from "colos";

class Counter {
  value = 0;
  handleCall(step: number): number {
    return (this.value += step);
  }
  handleCast(): void {
    Object.assign(this, { uncopyable: Symbol("here") });
  }
}

export default defineServer(() => new Counter());
