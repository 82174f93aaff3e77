/**
 * Longest first: the order in which vitest begins test files. It begins large files first, for want of a better guess; the one that
 * takes minutes is small, and begun last it would keep one core waiting for the other.
 *
 * @module
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const longest = /\/test\/daemon-killed\.test\.ts$/;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification): boolean => longest.test(moduleId);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}
