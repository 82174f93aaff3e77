import process from "node:process";

/* A script that writes much and ends in the same breath. */
const line = `${"x".repeat(99)}\n`;
for (let count = 0; count < 10_000; count += 1) process.stdout.write(line);
process.exit(0);
