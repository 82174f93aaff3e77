/**
 * The shop: one system on all four carriers. `npm start` runs it; README says how to break it.
 */
import { defineConfig } from "colos";

const apiPort = Number(process.env["SHOP_API_PORT"] ?? 8000);
const pagePort = Number(process.env["SHOP_PAGE_PORT"] ?? 8001);

export default defineConfig({
  services: {
    // Ten thousand customers: one coroutine process each, in colos's own heap.
    sessions: { program: "./sessions.ts", carrier: "coroutine" },

    // Heavy arithmetic, on a thread: an endless loop there stops nobody else.
    pricing: { program: "./pricing.ts", carrier: "thread" },

    // Asks pricing each second whether it is there, and kills it when it does not answer.
    watchdog: { program: "./watchdog.ts", carrier: "coroutine", dependsOn: ["pricing"] },

    // Two OS processes that accept from one socket; colos holds it while one of them restarts.
    api: {
      program: "./api.ts",
      instances: 2,
      listen: apiPort,
      listenHost: "127.0.0.1", // its routes break things on purpose
      ready: { log: "listening" }, // what each says of itself; over HTTP, one would answer for both
      dependsOn: ["sessions", "pricing"],
    },

    // Any executable: esbuild compiles and serves the shop's page.
    page: {
      command: [
        "../../node_modules/.bin/esbuild",
        "page/app.ts",
        "--bundle",
        `--define:apiPort=${apiPort}`,
        "--outdir=page",
        "--servedir=page",
        `--serve=127.0.0.1:${pagePort}`,
      ],
      ready: { port: pagePort },
      dependsOn: ["api"],
    },
  },
});
