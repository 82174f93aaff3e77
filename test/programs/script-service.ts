import process from "node:process";

/* A script that runs until it is told to stop; with an argument it handles the stop itself. */
setInterval(() => {}, 1_000_000);
if (process.argv[2] === "handler") {
  process.on("SIGTERM", () => {
    console.log("stopping");
    process.exit(0);
  });
}
console.log("running");
