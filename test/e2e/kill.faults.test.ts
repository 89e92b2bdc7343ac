import { existsSync, readFileSync } from "node:fs";
import { createProgress, type RunningUpdate } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { providersOf } from "./harness/processes.ts";
import { openScene, type ReleaseOptions, type Scene } from "./harness/scene.ts";
import { until } from "./harness/until.ts";

/** A moment of a cut-over: the fact that its journal has just told. */
interface Moment {
  /** How the version is released. */
  readonly by: keyof typeof releases;
  readonly victim: (typeof victims)[number];
  readonly phase: string;
  readonly fact: string;
  /** How many of these facts there are by then. Default 1. */
  readonly count?: number;
  readonly behaviour?: Readonly<Record<string, string>>;
}

const replicas = 4;
const steps = [
  { kind: "shift", weightPercent: 25 },
  { kind: "soak", durationMs: 1_000 },
  { kind: "shift", weightPercent: 50 },
];

/** The settings of the stack for each way to release. */
const releases = {
  "blue/green": { strategy: "blueGreen", plan: "{}" },
  "the number of Pods": { strategy: "progressive", plan: JSON.stringify({ steps, holdMs: 1_000 }) },
} as const;

const victims = ["engine", "provider"] as const;

const phases: readonly Omit<Moment, "victim" | "by">[] = [
  { phase: "before the marker", fact: "cutoverStarted" },
  { phase: "after the marker", fact: "routerClaimed" },
  { phase: "after the shift", fact: "trafficShifted" },
  // The candidate is measured 6 times before the shift.
  { phase: "during the verification of the service", fact: "measured", count: 12 },
  { phase: "during the rollback", fact: "rollbackStarted", behaviour: { FAIL_BEHIND_SERVICE: "true" } },
];

const moments: readonly Moment[] = [
  ...phases.flatMap((phase) => victims.map((victim) => ({ ...phase, victim, by: "blue/green" as const }))),
  { by: "the number of Pods", victim: "provider", phase: "at its first weight", fact: "trafficShifted" },
  // Sizes change for some seconds in each of these, with traffic at both versions.
  {
    by: "the number of Pods",
    victim: "engine",
    phase: "on the way to its second weight",
    fact: "stepStarted",
    count: 5,
  },
  { by: "the number of Pods", victim: "provider", phase: "on the way to everything", fact: "stepStarted", count: 7 },
];

const settleLimitMs = 60_000;

describe("a cut-over that is killed", () => {
  let scene: Scene;
  let number = 1;

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const settings = { ...releases["blue/green"], replicas: String(replicas) };
    const first = await scene.release({ version: "k0", settings });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it.each(moments)(
    "by $by is settled by the next update when the $victim is killed $phase",
    async ({ by, victim, fact, count = 1, behaviour }) => {
      const before = await scene.namespace.servedVersion();
      const settings = releases[by];
      const broken: ReleaseOptions = { version: `k${number++}`, settings, ...(behaviour ? { behaviour } : {}) };
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

      const good = { version: `k${number++}`, settings };
      const next = await scene.release(good);
      const report = await load.stop();
      expect(next.exitCode, next.output).toBe(0);
      expect(report.badRequests.filter(({ kind }) => kind === "lost" || !behaviour)).toEqual([]);

      const served = await scene.namespace.servedVersion();
      expect(served).not.toBe(before);
      expect(await scene.namespace.sizes()).toEqual({ [served ?? ""]: replicas });
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
