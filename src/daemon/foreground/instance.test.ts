import { expect, test } from "vitest";
import { parseConfig } from "../../control/config-parser.ts";
import { Instance } from "./instance.ts";

function instance(): Instance {
  const config = { services: { web: { command: ["web"] } } };
  const parsed = parseConfig(config, { source: "test", directory: "/", resolve: (...paths) => paths.join("/") });
  if ("problems" in parsed) throw new Error(parsed.problems[0]?.message);
  return new Instance(parsed.plan.services[0]!, 1, { changed: () => {}, wrote: () => {} });
}

test("the last log line is the last one with something in it", () => {
  const web = instance();

  web.write("stdout", Buffer.from("\n > Local: http://127.0.0.1/\n\n  \n"));

  expect(web.status(0).lastLogLine).toBe(" > Local: http://127.0.0.1/");
});
