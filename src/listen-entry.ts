/**
 * Listen entry: what Node loads before a program that was handed a listening socket (`--import` in NODE_OPTIONS), so that the
 * program needs to know nothing of it. What the program itself starts does not inherit that.
 *
 * @module
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { shareSocket } from "./platforms/node/shared-socket.ts";

const own = `--import=${import.meta.url}`;
const rest = (process.env["NODE_OPTIONS"] ?? "").replace(own, "").trim();
if (rest === "") delete process.env["NODE_OPTIONS"];
else process.env["NODE_OPTIONS"] = rest;
if (isMainThread) shareSocket();
