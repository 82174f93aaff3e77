// Strikes an OS process and waits to be killed: node striker.mjs <injector> <fault> <pid> [path]
import { injectors, openInjectors } from "colos/testing";

const [name, fault, osPid, path] = process.argv.slice(2);
const injector = injectors.find((each) => each.name === name);
const arsenal = await openInjectors([injector], { folder: path ?? "/", limitMs: 60_000 });
await arsenal.strike(injector, fault, { osPid: Number(osPid), ...(path ? { path } : {}) }, { forMs: 60_000 });
console.log("struck");
setInterval(() => {}, 1000);
