import process from "node:process";
import { createSystem, program } from "colos";

/* A colos of its own with one child, which shares its output. */
const { kernel } = createSystem();
const pid = await kernel.attach().start(program("./answer.ts", import.meta.url), {
  carrier: "os-process",
  output: "inherit",
  onOsPid: (osPid) => console.log(osPid),
});
console.log(String(pid));
process.stdin.resume();
