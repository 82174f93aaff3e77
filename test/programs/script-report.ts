import process from "node:process";

/* A script that ends when it has nothing left to do. */
const { argv, env } = process;
setTimeout(() => {
  console.log(JSON.stringify({ argv: argv.slice(1), cwd: process.cwd(), chosen: env["CHOSEN"], removed: env["HOME"] }));
}, 5);
