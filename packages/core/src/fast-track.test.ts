import { describe, expect, it } from "vitest";
import { isWithinRollbackWindow } from "./fast-track.ts";

describe("going back to a former version", () => {
  it.each([
    ["4", "3", 1, true],
    ["4", "2", 1, false],
    ["4", "2", 2, true],
    ["4", "1", 2, false],
    ["4", "1", 3, true],
    ["4", "3", 0, false],
    ["4", "4", 9, false],
    ["3", "4", 9, false],
    ["4", "5", 9, false],
    ["5", "3", 9, false],
    ["4", undefined, 9, false],
    [undefined, "3", 9, false],
  ])("from %s to %s is within a window of %i: %s", (stable, candidate, revisions, expected) => {
    expect(isWithinRollbackWindow({ revisionsOldestFirst: ["1", "2", "3", "4"], stable, candidate, revisions })).toBe(
      expected,
    );
  });

  it("counts from the last time that a version was in service", () => {
    const revisionsOldestFirst = ["1", "2", "3", "1", "4"];
    expect(isWithinRollbackWindow({ revisionsOldestFirst, stable: "4", candidate: "1", revisions: 1 })).toBe(true);
  });
});
