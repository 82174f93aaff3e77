import { defineProgram, stub, type Context, type Endpoint } from "colos";

/** Adds through the context that it is sent, and sends what came of it to who sent it. */
export default defineProgram(async (self) => {
  const [from, context] = (await self.receive()) as [
    Parameters<typeof self.send>[0],
    Context<{ add: Endpoint<{ by: number }, number, false>; count: Endpoint<void, number, true> }>,
  ];
  const counter = stub(self, context);
  const sum = await counter.add({ by: 3 });
  const refused = await counter.add({ by: "x" as never }).catch((error: Error) => error.message);
  const counted: number[] = [];
  for await (const number of counter.count()) {
    counted.push(number);
    if (number === 3) break;
  }
  self.send(from, [sum, refused, counted]);
  await self.receive();
});
