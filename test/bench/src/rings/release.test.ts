import { describe, expect, it } from "vitest";
import { playRelease } from "./release.ts";

describe("the release that is measured", () => {
  it("brings 100 targets to the candidate but for those that fail within the budget", async () => {
    const { outcome, entries, simulatedMs } = await playRelease(100, "completed");
    expect(outcome).toMatchObject({ phase: "completed", report: { stuck: [], unverified: [] } });
    expect("report" in outcome && outcome.report.failed.map(({ message }) => message)).toEqual(["answers 500"]);
    expect(entries).toBeGreaterThan(200);
    expect(simulatedMs).toBeGreaterThan(1_200_000);
  });

  it("takes all of them back when the last ring fails", async () => {
    const { outcome } = await playRelease(100, "rolledBack");
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "budget-exceeded" } });
  });
});
