/**
 * Lives until `healthyMs` after its very first start, then fails, and fails at once whenever it is started again. Each start
 * is a line in the file.
 *
 *   node aging.mjs <healthyMs> <file>
 */
import { appendFileSync, readFileSync } from "node:fs";

const [healthyMs, file] = process.argv.slice(2);
appendFileSync(file, `${Date.now()}\n`);
const firstAt = Number(readFileSync(file, "utf8").split("\n", 1)[0]);
setTimeout(() => process.exit(1), Math.max(0, firstAt + Number(healthyMs) - Date.now()));
