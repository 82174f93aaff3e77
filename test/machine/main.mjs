/**
 * `npm run machine [-- --only <words> --keep <folder> --open]`: what needs a machine of its own, tried on one. Needs root, and of Debian
 * qemu-system-x86, mmdebstrap, busybox-static, e2fsprogs and openssh-client.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile, runMain } from "../one-file.mjs";

const { file } = await oneFile(new URL("trials.ts", import.meta.url), "machine");
const { main } = await import(pathToFileURL(file).href);
await runMain("machine", () => main(process.argv.slice(2), new URL(".", import.meta.url)));
