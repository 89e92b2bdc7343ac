import { describe, expect, it } from "vitest";
import { shareOf } from "./share.ts";

describe("the share of requests that is copied", () => {
  it.each([0, 0.1, 1, 12.5, 25, 33.3, 50, 66.7, 99.9, 100])("is %f %% of 1,000 requests exactly", (percent) => {
    const isChosen = shareOf(percent);
    const chosen = Array.from({ length: 1_000 }, isChosen).filter(Boolean).length;
    expect(chosen).toBe(percent * 10);
  });

  it("is spread evenly", () => {
    const isChosen = shareOf(25);
    expect(Array.from({ length: 8 }, isChosen)).toEqual([false, false, false, true, false, false, false, true]);
  });
});
