/**
 * Contract: how the suites of contracts run, whatever the contract: carriers, file systems, networks.
 *
 * A suite knows no test framework: `test` is passed in (vitest's and node:test's both fit). Each case gets a scene of its own,
 * which is ended whatever becomes of the case.
 *
 * @module
 */

/** What the framework gives a test that skips itself. */
export interface TestContext {
  skip(reason: string): void;
}

/** What every suite of a contract takes. */
export interface ContractSuite {
  test(name: string, body: (context: TestContext) => void | Promise<void>): void;
  /** Case → why it cannot hold here, one sentence. */
  readonly skip?: Readonly<Record<string, string>>;
}

/** Where one case plays. */
export interface ContractScene {
  /** Ends what the case has left. */
  end(): void | Promise<void>;
}

/** Cases by name. */
export type ContractCases<Scene> = Readonly<Record<string, (scene: Scene) => void | Promise<void>>>;

/** A scene, and what it plays on. */
export interface ContractStage<Scene> {
  readonly scene: Scene;
  /** `close` is called when the scene has ended. */
  readonly system: { close?(): void | PromiseLike<void> };
}

/**
 * Declares all cases of the contract of a `kind` of things, each on a stage that `set` gives.
 * @throws Error when `skip` names a case that there is not.
 */
export function declareCases<Scene extends ContractScene>(
  kind: string,
  { test, skip = {} }: ContractSuite,
  cases: ContractCases<Scene>,
  set: () => ContractStage<Scene> | Promise<ContractStage<Scene>>,
): void {
  const unknown = Object.keys(skip).filter((name) => !Object.hasOwn(cases, name));
  if (unknown.length > 0) throw new Error(`the ${kind} suite has no case named ${unknown.join("; ")}`);
  for (const [name, run] of Object.entries(cases)) {
    test(name, async (context) => {
      const reason = skip[name];
      if (reason !== undefined) {
        context.skip(reason);
        return;
      }
      const { scene, system } = await set();
      try {
        await run(scene);
      } finally {
        await scene.end();
        await system.close?.();
      }
    });
  }
}
