import { describe, expect, test } from "vitest";
import { homeFolder } from "./home.ts";

const ada = { cwd: "/srv", env: {}, userId: 1000, userFolder: "/home/ada" };

describe("home", () => {
  test.each([
    ["nobody says: the user's state", undefined, ada, "/home/ada/.local/state/colos"],
    ["root's", undefined, { ...ada, userId: 0 }, "/var/lib/colos"],
    ["XDG_STATE_HOME", undefined, { ...ada, env: { XDG_STATE_HOME: "/state" } }, "/state/colos"],
    ["a relative XDG_STATE_HOME", undefined, { ...ada, env: { XDG_STATE_HOME: "s" } }, "/home/ada/.local/state/colos"],
    ["COLOS_HOME", undefined, { ...ada, env: { COLOS_HOME: "/h" } }, "/h"],
    ["an empty COLOS_HOME", undefined, { ...ada, env: { COLOS_HOME: "" } }, "/home/ada/.local/state/colos"],
    ["a relative COLOS_HOME", undefined, { ...ada, env: { COLOS_HOME: "h" } }, "/srv/h"],
    ["COLOS_HOME of root", undefined, { ...ada, userId: 0, env: { COLOS_HOME: "/h" } }, "/h"],
    ["--home before COLOS_HOME", "x", { ...ada, env: { COLOS_HOME: "/h" } }, "/srv/x"],
  ])("%s", (_, named, host, folder) => {
    expect(homeFolder(named, host)).toBe(folder);
  });
});
