import { existsSync, readFileSync } from "node:fs";
import { createProgress, type RunningUpdate } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { providersOf } from "./harness/processes.ts";
import { openScene, type ReleaseOptions, type Scene } from "./harness/scene.ts";
import { until } from "./harness/until.ts";

/** A moment of a cut-over: the fact that its journal has just told. */
interface Moment {
  readonly phase: string;
  readonly fact: string;
  /** How many of these facts there are by then. Default 1. */
  readonly count?: number;
  readonly behaviour?: Readonly<Record<string, string>>;
}

const moments: readonly Moment[] = [
  { phase: "before the marker", fact: "cutoverStarted" },
  { phase: "after the marker", fact: "routerClaimed" },
  { phase: "after the shift", fact: "trafficShifted" },
  // The candidate is measured 6 times before the shift.
  { phase: "during the verification of the service", fact: "measured", count: 12 },
  { phase: "during the rollback", fact: "rollbackStarted", behaviour: { FAIL_BEHIND_SERVICE: "true" } },
];

const victims = ["engine", "provider"] as const;
const settleLimitMs = 60_000;

describe("a cut-over that is killed", () => {
  let scene: Scene;
  let number = 1;

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await scene.release({ version: "k0" });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  const cases = moments.flatMap((moment) => victims.map((victim) => ({ ...moment, victim })));

  it.each(cases)(
    "is settled by the next update when the $victim is killed $phase",
    async ({ victim, fact, count = 1, behaviour }) => {
      const before = await scene.namespace.servedVersion();
      const broken: ReleaseOptions = { version: `k${number++}`, ...(behaviour ? { behaviour } : {}) };
      const load = await scene.load({ ratePerSecond: 100 });

      await scene.configure(broken);
      const update = scene.stack.startUp();
      await until(
        `the journal to tell ${fact}`,
        () => countFacts(scene.journalPath(broken.version), fact) >= count,
        settleLimitMs,
      );
      expect(providersOf(scene.projectDirectory).length).toBeGreaterThan(1);
      kill(update, victim);
      const killed = await update.done;
      expect(killed.exitCode, killed.output).not.toBe(0);

      // The providers may go on for a moment to put traffic back; then they must be gone, whoever was killed.
      await until("the providers to end", () => providersOf(scene.projectDirectory).length === 0, settleLimitMs);
      await scene.stack.cancel();

      const good = { version: `k${number++}` };
      const next = await scene.release(good);
      const report = await load.stop();
      expect(next.exitCode, next.output).toBe(0);
      expect(report.badRequests.filter(({ kind }) => kind === "lost" || !behaviour)).toEqual([]);

      const served = await scene.namespace.servedVersion();
      expect(served).not.toBe(before);
      expect(await scene.namespace.versions()).toEqual([served]);
      expect(await scene.namespace.marker()).toBeUndefined();
      const address = await scene.namespace.serviceAddress();
      expect((await fetch(`http://${address}/`)).headers.get("x-version")).toBe(good.version);
    },
  );
});

function kill(update: RunningUpdate, victim: (typeof victims)[number]): void {
  const processIds = victim === "engine" ? [update.cliProcessId] : update.providerProcessIds();
  expect(processIds.length).toBeGreaterThan(0);
  for (const processId of processIds) process.kill(processId, "SIGKILL");
}

/** Reads the raw lines: the last one may be in the middle of being written. */
function countFacts(path: string, kind: string): number {
  if (!existsSync(path)) return 0;
  return readFileSync(path, "utf8").split(`"fact":{"kind":"${kind}"`).length - 1;
}
