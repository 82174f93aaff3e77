/**
 * The shop under a daemon: `colos up examples/shop/daemon.config.ts`. Its programs call each other by name and share memory, so they are
 * one service: a tree of processes of its own, which the daemon starts, watches and restarts as a whole.
 */
import { defineConfig } from "colos";

const apiPort = process.env["SHOP_API_PORT"] ?? "8000";
const pagePort = process.env["SHOP_PAGE_PORT"] ?? "8001";

export default defineConfig({
  services: {
    shop: {
      command: [process.execPath, "../../dist/bin.js", "up", "--foreground", "--plain", "colos.config.ts"],
      env: { SHOP_API_PORT: apiPort, SHOP_PAGE_PORT: pagePort },
      ready: { log: "every service is ready" },
      live: { http: `http://127.0.0.1:${apiPort}/health`, everyMs: "10 s" },
      shutdown: "30 s",
    },
  },
});
