/* A CommonJS script, as `node file.cjs` runs it. */
if (require.main === module) console.log("main");
