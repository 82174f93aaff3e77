import process from "node:process";

/* A script that ends by itself in the way its first argument says. */
const [how] = process.argv.slice(2);
if (how === "code") setTimeout(() => process.exit(3), 1);
if (how === "exitCode") process.exitCode = 4;
if (how === "error")
  setTimeout(() => {
    throw new RangeError("later");
  }, 1);
if (how === "rejection") void Promise.reject(new RangeError("nobody waits"));
if (how === "handler") {
  process.on("uncaughtException", (error) => console.log(`handled ${error.message}`));
  setTimeout(() => {
    throw new RangeError("later");
  }, 1);
}
