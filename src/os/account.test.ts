import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findGroup, findUser, type AccountSources } from "./account.ts";

function sources(getent: string): AccountSources {
  const folder = mkdtempSync(join(tmpdir(), "colos-account-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, "passwd"),
    "# comment\nroot:x:0:0:root:/root:/bin/bash\nweb:x:1001:2001::/srv/web:/bin/sh\n12:x:1002:2002::/:/bin/sh\nbad\n",
  );
  writeFileSync(join(folder, "group"), "www:x:2001:web,root\n");
  const script = join(folder, "getent");
  writeFileSync(script, `#!/bin/sh\n${getent}\n`);
  chmodSync(script, 0o755);
  return { folder, getent: script };
}

describe("account", () => {
  test("a user is found by name and by number, the name first", async () => {
    const files = sources("exit 2");
    const web = { name: "web", id: 1001, groupId: 2001, home: "/srv/web", shell: "/bin/sh" };

    expect(await findUser("web", files)).toEqual(web);
    expect(await findUser(1001, files)).toEqual(web);
    expect(await findUser("1001", files)).toEqual(web);
    expect((await findUser("12", files))?.id).toBe(1002);
  });

  test("a group is found by name and by number", async () => {
    const files = sources("exit 2");

    expect([await findGroup("www", files), await findGroup(2001, files)]).toEqual(
      Array.from({ length: 2 }, () => ({ name: "www", id: 2001 })),
    );
  });

  test("whom the files do not name, the directory is asked for", async () => {
    const directory = sources(`[ "$1 $2 $3" = "passwd -- anna" ] && echo "anna:*:5001:5001:A:/home/anna:/bin/zsh"`);

    expect(await findUser("anna", directory)).toMatchObject({ id: 5001, home: "/home/anna" });
    expect(await findUser("bert", directory)).toBeUndefined();
  });

  test("without files and without getent nobody is known", async () => {
    expect(await findUser("root", { folder: "/not/there", getent: "/not/there" })).toBeUndefined();
  });
});
