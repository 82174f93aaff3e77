/**
 * The shop: one system on all four carriers. `npm start` runs it; README says how to break it.
 */
import { defineConfig } from "colos";

export default defineConfig({
  services: {
    // Ten thousand customers: one coroutine process each, in colos's own heap.
    sessions: { program: "./sessions.ts", carrier: "coroutine" },

    // Heavy arithmetic, on a thread: an endless loop there stops nobody else.
    pricing: { program: "./pricing.ts", carrier: "thread" },

    // Calls pricing each second and kills it when it does not answer.
    watchdog: { program: "./watchdog.ts", carrier: "coroutine", dependsOn: ["pricing"] },

    // Two OS processes that accept from one socket; colos holds it while one of them restarts.
    api: {
      program: "./api.ts",
      instances: 2,
      listen: 8000,
      ready: { http: "http://127.0.0.1:8000/health" },
      dependsOn: ["sessions", "pricing"],
    },

    // Any executable: esbuild compiles and serves the shop's page.
    page: {
      command: [
        "../../node_modules/.bin/esbuild",
        "page/app.ts",
        "--bundle",
        "--outdir=page",
        "--servedir=page",
        "--serve=127.0.0.1:8001",
      ],
      ready: { http: "http://127.0.0.1:8001/" },
      dependsOn: ["api"],
    },
  },
});
