import { createProgress } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mostBadAnswers } from "./harness/exposure.ts";
import { openScene, type Scene } from "./harness/scene.ts";

const ratePerSecond = 200;
const settings = { strategy: "direct" };

describe("a direct release, by a real pulumi up on a real cluster", () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await scene.release({ version: "v1", settings });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it("moves everything at once without losing a request, and keeps only the new version", async () => {
    const load = await scene.load({ ratePerSecond });
    const result = await scene.release({ version: "v2", settings });
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(report.byVersion["v1"]).toBeGreaterThan(0);
    expect(report.byVersion["v2"]).toBeGreaterThan(0);
    expect(await scene.namespace.versions()).toEqual([await scene.namespace.servedVersion()]);
  });

  it("puts back a version that fails: no more bad answers than the time to find it out makes", async () => {
    const before = await scene.namespace.servedVersion();
    const load = await scene.load({ ratePerSecond });
    const result = await scene.release({ version: "v3", settings, behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    const report = await load.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(report.lost).toBe(0);
    expect(report.bad).toBeGreaterThan(0);
    expect(report.bad).toBeLessThanOrEqual(mostBadAnswers(await scene.journal("v3"), ratePerSecond));
    expect(await scene.namespace.servedVersion()).toBe(before);
  });
});
