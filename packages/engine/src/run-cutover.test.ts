import {
  analysis,
  experiment,
  mirror,
  nextEntry,
  pause,
  planOf,
  route,
  runHook,
  scale,
  setWeight,
  soak,
  type JournalEntry,
  type JournalFact,
  type Marker,
  type Plan,
  type RouterMemory,
  type Traffic,
  type Verdict,
  type VersionId,
  type Weights,
} from "@bascule/core";
import { describe, expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { RouterConflict, type ProbeRequest, type Router } from "./ports.ts";
import { runCutover, type CutoverOutcome, type CutoverPorts, type CutoverRequest } from "./run-cutover.ts";

const leaseMs = 20_000;
const startMs = Date.UTC(2026, 10, 24, 12);

interface Scene {
  readonly plan?: Plan;
  /** The router before; `null`: there is none. Default: all to `old`. */
  readonly before?: {
    readonly weights: Weights;
    readonly marker?: Marker;
    readonly memory?: RouterMemory;
    readonly mirrorPercent?: number;
  } | null;
  readonly health?: Readonly<Record<VersionId, Verdict>>;
  /** Replaces what single calls do. */
  readonly ports?: (
    usual: CutoverPorts,
    at: FakeClock,
  ) => Partial<{ [Port in keyof CutoverPorts]: Partial<CutoverPorts[Port]> }>;
  readonly ownerGone?: boolean;
  readonly request?: (at: FakeClock) => Partial<CutoverRequest>;
}

interface RouterObject extends Traffic {
  readonly marker: Marker | null;
  readonly shape: string;
  readonly memory?: RouterMemory;
}

interface Played {
  readonly outcome: CutoverOutcome;
  /** What the router and the workload were asked to do, renewals and looks left out. */
  readonly calls: string[];
  readonly facts: JournalFact[];
  readonly kinds: string[];
  readonly progress: string[];
  readonly router: RouterObject | undefined;
  readonly renewals: Marker[];
  readonly tookMs: number;
}

const blueGreen = planOf("blueGreen", { holdMs: 1_000 });

async function play(scene: Scene = {}): Promise<Played> {
  const clock = createFakeClock(startMs);
  const calls: string[] = [];
  const facts: JournalFact[] = [];
  const progress: string[] = [];
  const renewals: Marker[] = [];
  let last: JournalEntry | undefined;
  const before = scene.before === undefined ? { weights: { old: 100 } } : scene.before;
  let object: Played["router"] = before ? { marker: null, shape: "original", ...before } : undefined;
  const mustBeOurs = (marker: Marker) => {
    if (object?.marker?.transaction !== marker.transaction) throw new RouterConflict("another run has the router");
  };
  /** Requests to the service are dealt out by weight. */
  const answering = (target: ProbeRequest["target"], sequence: number): VersionId | undefined => {
    if (target === "candidate") return "new";
    if (target === "baseline") return "old";
    let sum = 0;
    return Object.entries(object?.weights ?? {}).find(([, weight]) => (sum += weight) > (sequence * 37) % 100)?.[0];
  };
  const health: Readonly<Record<VersionId, Verdict>> = { old: "pass", new: "pass", ...scene.health };
  const usual: CutoverPorts = {
    clock,
    router: {
      observe: () =>
        Promise.resolve(object ? { exists: true, ...object } : { exists: false, weights: {}, marker: null, shape: "" }),
      claim: async (marker) => {
        calls.push(`claim ${marker.fencing}`);
        object = { weights: {}, shape: "", ...object, marker };
      },
      shift: async (traffic, marker) => {
        mustBeOurs(marker);
        const { weights, ...rules } = traffic;
        calls.push(
          `shift ${JSON.stringify(weights)}${Object.keys(rules).length > 0 ? ` with ${Object.keys(rules).join(", ")}` : ""}`,
        );
        object = { ...traffic, marker, shape: "declared", ...(object?.memory ? { memory: object.memory } : {}) };
      },
      restore: async (origin, marker) => {
        if (object) mustBeOurs(marker);
        calls.push(`restore ${origin ? JSON.stringify(origin.weights) : "nothing"}`);
        const history = object?.memory?.history;
        object = origin
          ? { weights: origin.weights, shape: origin.shape, marker, ...(history ? { memory: { history } } : {}) }
          : undefined;
      },
      renew: async (marker) => {
        mustBeOurs(marker);
        renewals.push(marker);
        if (object?.marker) {
          const isLater = object.marker.step > marker.step;
          object = {
            ...object,
            marker: isLater ? { ...object.marker, leaseUntilMs: marker.leaseUntilMs } : marker,
          };
        }
        return { abortRequested: false };
      },
      release: async (marker, memory) => {
        mustBeOurs(marker);
        calls.push("release");
        if (object) object = { ...object, marker: null, ...(memory ? { memory } : {}) };
      },
    },
    prober: {
      measure: async ({ probe, target, sequence }) => {
        const version = answering(target, sequence);
        const verdict: Verdict = (version === undefined ? undefined : health[version]) ?? "fail";
        return {
          probe: probe.name,
          verdict,
          startedAtMs: clock.nowMs(),
          durationMs: 1,
          message: `measured ${verdict}`,
          ...(version === undefined ? {} : { answeredBy: version }),
        };
      },
    },
    workload: {
      disconnect: async (version) => {
        calls.push(`disconnect ${version}`);
      },
      scale: async (version, size) => {
        calls.push(`scale ${version} ${JSON.stringify(size)}`);
      },
    },
    hooks: {
      run: async (name) => {
        calls.push(`hook ${name}`);
      },
    },
    journal: {
      append: async (transaction, fact) => {
        facts.push(fact);
        last = nextEntry(last, transaction, fact, clock.nowMs());
        return last;
      },
    },
    ownership: { isGone: () => scene.ownerGone ?? true },
  };
  const other = scene.ports?.(usual, clock) ?? {};
  const ports: CutoverPorts = {
    clock,
    router: { ...usual.router, ...other.router },
    prober: { ...usual.prober, ...other.prober },
    workload: { ...usual.workload, ...other.workload },
    hooks: { ...usual.hooks, ...other.hooks },
    journal: { ...usual.journal, ...other.journal },
    ownership: { ...usual.ownership, ...other.ownership },
  };
  const outcome = await clock.passUntilSettled(
    runCutover(
      {
        transaction: {
          id: "ours",
          candidate: "new",
          plan: scene.plan ?? blueGreen,
          owner: { host: "here", processId: 7, processStart: "boot/7" },
          leaseMs,
        },
        probes: [{ kind: "tcp", name: "answers", count: 2 }],
        change: { id: "web-1.5" },
        onProgress: (message) => progress.push(message),
        ...scene.request?.(clock),
      },
      ports,
    ),
  );
  return {
    outcome,
    calls,
    facts,
    kinds: facts.map(({ kind }) => kind),
    progress,
    router: object,
    renewals,
    tookMs: clock.nowMs() - startMs,
  };
}

function markerOf(overrides: Partial<Marker> = {}): Marker {
  return {
    transaction: "theirs",
    candidate: "new",
    origin: { weights: { old: 100 }, shape: "original" },
    step: 1,
    fencing: 3,
    owner: { host: "there", processId: 9, processStart: "boot/9" },
    leaseUntilMs: startMs + leaseMs,
    ...overrides,
  };
}

const hangs = (_first: unknown, ...rest: unknown[]) =>
  new Promise<never>((_resolve, reject) => {
    const signal = rest.at(-1);
    if (signal instanceof AbortSignal) signal.addEventListener("abort", () => reject(new Error("aborted")));
  });

/** Hangs at the first call, and is done at once afterwards. */
const hangsOnce = () => {
  let calls = 0;
  return (_name: string, signal: AbortSignal): Promise<void> =>
    calls++ === 0 ? hangs(undefined, signal) : Promise.resolve();
};

describe("a good candidate", () => {
  it("is verified, gets the traffic, is verified in service, is held and committed", async () => {
    const { outcome, calls, router, kinds, progress } = await play();
    expect(outcome).toMatchObject({ phase: "committed", weights: { new: 100 } });
    expect(calls).toEqual(["claim 1", 'shift {"new":100}', "release"]);
    expect(router).toMatchObject({ weights: { new: 100 }, marker: null });
    expect(kinds.filter((kind) => kind !== "measured")).toEqual([
      "cutoverStarted",
      "routerObserved",
      "routerClaimed",
      "stepStarted",
      "stepPassed",
      "stepStarted",
      "trafficShifted",
      "stepStarted",
      "stepPassed",
      "stepStarted",
      "stepPassed",
      "committed",
    ]);
    expect(progress).toEqual([
      "verify the candidate, which has no traffic yet",
      "move 100 % of traffic to the candidate",
      "verify the service as its clients see it",
      "hold for 1 s with the old version still there, and go on verifying",
    ]);
  });

  it("is the first release: the router is made for it", async () => {
    const { outcome, router } = await play({ before: null });
    expect(outcome).toMatchObject({ phase: "committed" });
    expect(router).toMatchObject({ weights: { new: 100 }, marker: null });
  });

  it("keeps its lease while it is held for long", async () => {
    const { renewals, outcome } = await play({ plan: planOf("blueGreen", { holdMs: 60_000 }) });
    expect(outcome.phase).toBe("committed");
    expect(renewals.length).toBeGreaterThanOrEqual(11);
    expect(
      renewals.every(({ leaseUntilMs }, index) => leaseUntilMs === startMs + (index + 1) * (leaseMs / 4) + leaseMs),
    ).toBe(true);
    expect(renewals.at(-1)?.step).toBe(3);
  });
});

it("no write of a long run brings back the lease of its beginning", async () => {
  const leases: number[] = [];
  await play({
    plan: planOf("progressive", { steps: [setWeight(20), soak(60_000), setWeight(50), soak(60_000)] }),
    ports: (usual, at) => ({
      router: {
        shift: (traffic, marker, signal) => {
          leases.push(marker.leaseUntilMs - at.nowMs());
          return usual.router.shift(traffic, marker, signal);
        },
      },
    }),
  });
  expect(leases).toEqual([leaseMs, leaseMs, leaseMs]);
});

describe("a bad candidate", () => {
  const failing =
    (from: (observed: { target: string; shifted: boolean }) => boolean): NonNullable<Scene["ports"]> =>
    (usual) => ({
      prober: {
        measure: async (wanted, signal) => {
          const measurement = await usual.prober.measure(wanted, signal);
          return from({
            target: wanted.target,
            shifted: measurement.answeredBy === "new" && wanted.target === "service",
          })
            ? { ...measurement, verdict: "fail", message: "measured 500" }
            : measurement;
        },
      },
    });

  it("that fails before it has traffic changes nothing for anybody", async () => {
    const { outcome, calls, router } = await play({ ports: failing(({ target }) => target === "candidate") });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      weights: { old: 100 },
      stableVerified: true,
      reason: { code: "verification-failed", message: "answers: measured 500 (0 of 1 measurements passed)" },
    });
    expect(calls).toEqual(["claim 1", 'restore {"old":100}', "release"]);
    expect(router).toEqual({ weights: { old: 100 }, marker: null, shape: "original" });
  });

  it("that fails in service loses the traffic at once, then its connections; stable is verified", async () => {
    const { outcome, calls, router, progress, kinds } = await play({ ports: failing(({ shifted }) => shifted) });
    expect(outcome).toMatchObject({ phase: "rolledBack", weights: { old: 100 }, stableVerified: true });
    expect(calls).toEqual(["claim 1", 'shift {"new":100}', 'restore {"old":100}', "disconnect new", "release"]);
    expect(router).toEqual({ weights: { old: 100 }, marker: null, shape: "original" });
    expect(progress.at(-1)).toBe("rolling back: answers: measured 500 (0 of 1 measurements passed)");
    expect(kinds.filter((kind) => kind !== "measured").slice(-6)).toEqual([
      "stepStarted",
      "rollbackStarted",
      "trafficRestored",
      "stableVerified",
      "connectionsEnded",
      "rolledBack",
    ]);
  });

  it("goes back also when stable does not pass, and says so", async () => {
    const { outcome, router } = await play({ health: { new: "fail", old: "fail" } });
    expect(outcome).toMatchObject({ phase: "rolledBack", stableVerified: false });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
  });

  it("in a first release leaves nothing behind", async () => {
    const { outcome, router, calls } = await play({ before: null, plan: planOf("direct"), health: { new: "fail" } });
    expect(outcome).toMatchObject({ phase: "rolledBack", weights: null, stableVerified: true });
    expect(router).toBeUndefined();
    expect(calls.at(-1)).toBe("restore nothing");
  });

  it("whose connections cannot be ended is rolled back all the same", async () => {
    const { outcome, facts } = await play({
      ports: (usual) => ({
        ...failing(({ shifted }) => shifted)(usual, createFakeClock()),
        workload: { disconnect: hangs },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", weights: { old: 100 } });
    expect(facts).toContainEqual({
      kind: "connectionsEnded",
      version: "new",
      message: "disconnect was not done within 10 s",
    });
  });
});

describe("a router that does not work", () => {
  const broken =
    (...names: (keyof Router)[]): NonNullable<Scene["ports"]> =>
    () => ({
      router: Object.fromEntries(names.map((name) => [name, () => Promise.reject(new Error(`${name} was refused`))])),
    });

  it("and cannot be observed: the run is refused and nothing was touched", async () => {
    const { outcome, calls } = await play({ ports: broken("observe") });
    expect(outcome).toMatchObject({
      phase: "refused",
      reason: { code: "router-failed", message: "observe was refused" },
    });
    expect(calls).toEqual([]);
  });

  it("and cannot shift: everything is put back, since the write may have arrived", async () => {
    const { outcome, calls } = await play({ ports: broken("shift") });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "router-failed" } });
    expect(calls).toEqual(["claim 1", 'restore {"old":100}', "disconnect new", "release"]);
  });

  it("and hangs: the call is given up after 10 s", async () => {
    const { outcome } = await play({ ports: () => ({ router: { shift: hangs } }) });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { message: "shift was not done within 10 s" } });
  });

  it("and cannot go back within 300 s: the marker stays for the next run", async () => {
    const { outcome, router, tookMs } = await play({
      health: { new: "fail" },
      plan: planOf("direct"),
      ports: () => ({ router: { restore: hangs } }),
    });
    expect(outcome).toMatchObject({
      phase: "unsettled",
      cause: "restore was not done within 300 s",
      reason: { code: "verification-failed" },
    });
    expect(router?.marker?.transaction).toBe("ours");
    expect(tookMs).toBeGreaterThanOrEqual(300_000);
  });

  it("and loses the answer to the marker's removal: a look tells that the candidate is committed", async () => {
    const { outcome, router } = await play({
      ports: (usual) => ({
        router: {
          release: async (marker, memory, signal) => {
            await usual.router.release(marker, memory, signal);
            throw new Error("the answer was lost");
          },
        },
      }),
    });
    expect(outcome.phase).toBe("committed");
    expect(router).toMatchObject({ weights: { new: 100 }, marker: null });
  });

  it("and does not remove the marker: the candidate is not committed and goes back", async () => {
    let refusals = 1;
    const { outcome, router } = await play({
      ports: (usual) => ({
        router: {
          release: (marker, memory, signal) =>
            refusals-- > 0 ? Promise.reject(new Error("no")) : usual.router.release(marker, memory, signal),
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "router-failed", message: "no" } });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
  });

  it("and was taken by a later run: nothing more is written, and the outcome says so", async () => {
    const { outcome, calls } = await play({
      ports: () => ({ router: { shift: () => Promise.reject(new RouterConflict("another run has the router")) } }),
    });
    expect(outcome).toMatchObject({ phase: "unsettled", reason: { code: "taken-over" } });
    expect(calls).toEqual(["claim 1"]);
  });
});

describe("what another run left", () => {
  it("while its owner is there: this run is refused, naming the first", async () => {
    const { outcome, calls } = await play({ before: { weights: { old: 100 }, marker: markerOf() }, ownerGone: false });
    expect(outcome).toMatchObject({ phase: "refused", reason: { code: "concurrent-run" } });
    if (outcome.phase === "refused")
      expect(outcome.reason.message).toContain("transaction theirs of process 9 on there");
    expect(calls).toEqual([]);
  });

  it("when its owner is gone: the origin is restored and verified first, with a higher fencing number", async () => {
    const { outcome, calls, facts } = await play({ before: { weights: { new: 100 }, marker: markerOf() } });
    expect(outcome).toMatchObject({ phase: "committed" });
    expect(calls).toEqual(["claim 4", 'restore {"old":100}', 'shift {"new":100}', "release"]);
    expect(facts).toContainEqual({
      kind: "abandonedTransactionFound",
      transaction: "theirs",
      owner: "process 9 on there",
    });
    expect(facts).toContainEqual({ kind: "abandonedTransactionSettled", transaction: "theirs", weights: { old: 100 } });
  });

  it("of a first release: the router is removed and the release begins anew", async () => {
    const { outcome, calls } = await play({ before: { weights: { new: 100 }, marker: markerOf({ origin: null }) } });
    expect(outcome).toMatchObject({ phase: "committed" });
    expect(calls).toEqual(["claim 4", "restore nothing", "claim 1", 'shift {"new":100}', "release"]);
  });

  it("is still there when it cannot be claimed: the marker must not be removed", async () => {
    const { outcome, router } = await play({
      before: { weights: { new: 100 }, marker: markerOf() },
      ports: (usual) => ({
        router: {
          claim: async (marker, expects, signal) => {
            await usual.router.claim(marker, expects, signal);
            throw new Error("the answer was lost");
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "unsettled", reason: { code: "router-failed" } });
    expect(router?.marker).toMatchObject({ transaction: "ours", origin: { weights: { old: 100 } } });
  });
});

describe("a change window", () => {
  const plan = (start: string, end: string, holdMs = 1_000): Plan =>
    planOf("blueGreen", {
      holdMs,
      window: { start: `2026-11-24T${start}`, end: `2026-11-24T${end}`, timeZone: "Etc/UTC" },
    });

  it("that is closed refuses the run before anything is touched", async () => {
    const { outcome, calls } = await play({ plan: plan("22:00", "23:00") });
    expect(outcome).toMatchObject({ phase: "refused", reason: { code: "window-closed" } });
    expect(calls).toEqual([]);
  });

  it("that closes before traffic moves rolls back", async () => {
    const { outcome, calls } = await play({
      plan: plan("11:00", "12:01"),
      ports: (usual, at) => ({
        prober: {
          measure: (wanted, signal) => {
            if (wanted.target === "candidate") at.skip(60_000);
            return usual.prober.measure(wanted, signal);
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "window-closed" } });
    expect(calls).not.toContain('shift {"new":100}');
  });

  it("that is closed does not keep an abandoned transaction from being settled", async () => {
    const { outcome, router } = await play({
      plan: plan("22:00", "23:00"),
      before: { weights: { new: 100 }, marker: markerOf() },
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "window-closed" } });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
  });
});

describe("an interruption", () => {
  const holding = planOf("blueGreen", { holdMs: 60_000 });

  it("by the end of the process that asked: traffic goes back at once", async () => {
    const { outcome, tookMs, router } = await play({
      plan: holding,
      request: (at) => {
        const lost = new AbortController();
        void at.sleep(30_000).then(() => lost.abort());
        return { ownerLost: lost.signal };
      },
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "owner-lost" }, stableVerified: true });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
    expect(tookMs).toBeLessThan(31_000);
  });

  it("that came before the first look: the run is refused", async () => {
    const { outcome, calls } = await play({ request: () => ({ ownerLost: AbortSignal.abort() }) });
    expect(outcome).toMatchObject({ phase: "refused", reason: { code: "owner-lost" } });
    expect(calls).toEqual([]);
  });

  it("by an abort mark on the router: seen at the next renewal, traffic goes back", async () => {
    const { outcome, tookMs } = await play({
      plan: holding,
      ports: () => ({ router: { renew: () => Promise.resolve({ abortRequested: true }) } }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "abort-requested" } });
    expect(tookMs).toBeLessThan(6_500);
  });

  it("by the deadline: traffic goes back when it has passed", async () => {
    const { outcome, tookMs } = await play({ plan: planOf("blueGreen", { holdMs: 60_000, deadlineMs: 7_000 }) });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      reason: {
        code: "deadline-passed",
        message: "The cut-over took longer than its deadline of 7 s. Raise deadlineMs if it needs that long.",
      },
    });
    expect(tookMs).toBeGreaterThanOrEqual(7_000);
    expect(tookMs).toBeLessThan(7_500);
  });

  it("does not stop the way back", async () => {
    const { outcome, calls } = await play({
      health: { new: "fail" },
      plan: planOf("direct", { deadlineMs: 15_000 }),
      ports: (usual, at) => ({
        router: {
          restore: async (origin, marker, signal) => {
            await at.sleep(60_000, signal);
            if (signal.aborted) throw new Error("the way back was stopped");
            await usual.router.restore(origin, marker, signal);
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "verification-failed" } });
    expect(calls).toContain('restore {"old":100}');
  });

  it("a renewal that fails is tried again and interrupts nothing", async () => {
    const { outcome } = await play({
      plan: holding,
      ports: () => ({ router: { renew: () => Promise.reject(new Error("busy")) } }),
    });
    expect(outcome.phase).toBe("committed");
  });
});

describe("a journal that cannot be written", () => {
  const failingFrom =
    (kind: JournalFact["kind"]): NonNullable<Scene["ports"]> =>
    (usual) => {
      let fails = false;
      return {
        journal: {
          append: (transaction, fact) => {
            fails ||= fact.kind === kind;
            return fails ? Promise.reject(new Error("no space left")) : usual.journal.append(transaction, fact);
          },
        },
      };
    };

  it("from the start: nothing is touched", async () => {
    const { outcome, calls } = await play({ ports: failingFrom("cutoverStarted") });
    expect(outcome).toMatchObject({
      phase: "refused",
      reason: { code: "journal-failed", message: "The journal could not be written: no space left" },
    });
    expect(calls).toEqual([]);
  });

  it("on the way: traffic goes back, and the user is told", async () => {
    const { outcome, router, progress } = await play({ ports: failingFrom("trafficShifted") });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "journal-failed" } });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
    expect(progress).toContain("The journal could not be written: no space left");
  });

  it("once the way back has begun: going back goes on", async () => {
    const { outcome, router } = await play({
      health: { new: "fail" },
      plan: planOf("direct"),
      ports: failingFrom("rollbackStarted"),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "verification-failed" } });
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null });
  });
});

describe("steps", () => {
  const steps = [
    route([{ header: "x-beta", exact: "yes" }]),
    mirror(10),
    scale({ percent: 50 }),
    setWeight(20),
    soak(1_000),
    analysis({ probes: ["answers"] }),
    experiment(8_000),
    runHook("sync", { limitMs: 1_000, undo: "stop sync" }),
    runHook("stop writes", { limitMs: 1_000, undo: "allow writes", startsReadOnly: true }),
  ];
  const parallel = planOf("parallel", { steps, closing: [runHook("end sync", { limitMs: 1_000 })], holdMs: 1_000 });

  it("of every kind are taken in their order, and the rules end with the last one", async () => {
    const { outcome, calls, router } = await play({ plan: parallel });
    expect(outcome).toMatchObject({ phase: "committed", weights: { new: 100 } });
    expect(calls).toEqual([
      "claim 1",
      'shift {"old":100} with matches',
      'shift {"old":100} with matches, mirrorPercent',
      'scale new {"percent":50}',
      'shift {"new":20,"old":80} with matches, mirrorPercent',
      "hook sync",
      "hook stop writes",
      'scale new {"percent":100}',
      'shift {"new":100}',
      "hook end sync",
      "release",
    ]);
    expect(router).toEqual({
      weights: { new: 100 },
      marker: null,
      shape: "declared",
      memory: { history: ["new"] },
    });
  });

  it("that fail in the middle go back, and hooks are taken back in reverse order when nobody is connected any more", async () => {
    const { outcome, calls, router, facts } = await play({
      plan: parallel,
      ports: (usual) => ({
        prober: {
          measure: async (wanted, signal) => {
            const measurement = await usual.prober.measure(wanted, signal);
            const isSwitched = wanted.target === "service" && !("old" in wanted.expected);
            return isSwitched ? { ...measurement, verdict: "fail", message: "measured 500" } : measurement;
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", weights: { old: 100 }, stableVerified: true });
    expect(calls.slice(calls.indexOf('shift {"new":100}'))).toEqual([
      'shift {"new":100}',
      'restore {"old":100}',
      "disconnect new",
      "hook allow writes",
      "hook stop sync",
      "release",
    ]);
    expect(router).toMatchObject({ weights: { old: 100 }, marker: null, shape: "original" });
    expect(facts.filter(({ kind }) => kind === "readOnlyMoment")).toHaveLength(1);
  });

  it("that cannot be sized go back, and say which limit was passed", async () => {
    const { outcome, calls } = await play({
      plan: planOf("progressive", { steps: [scale({ replicas: 3 }), setWeight(20)], scaleLimitMs: 30_000 }),
      ports: () => ({ workload: { scale: hangs } }),
    });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      reason: { code: "scale-failed", message: "scale was not done within 30 s" },
    });
    expect(calls).toEqual(["claim 1", 'restore {"old":100}', "release"]);
  });

  it("that size a version are not taken by a run that has lost the router", async () => {
    const { outcome, calls } = await play({
      plan: planOf("progressive", { steps: [scale({ replicas: 3 }), setWeight(20)] }),
      ports: () => ({ router: { renew: () => Promise.reject(new RouterConflict("another run has the router")) } }),
    });
    expect(outcome).toMatchObject({ phase: "unsettled", reason: { code: "taken-over" } });
    expect(calls).toEqual(["claim 1"]);
  });

  it("of a router that splits by sizes have as long as sizes may take", async () => {
    const slowly = (usual: CutoverPorts, at: FakeClock) => ({
      router: {
        shift: async (...call: Parameters<Router["shift"]>) => {
          await at.sleep(20_000);
          return usual.router.shift(...call);
        },
      },
    });
    const { outcome } = await play({ plan: planOf("blueGreen", { scaleLimitMs: 30_000 }), ports: slowly });
    expect(outcome.phase).toBe("committed");
    expect((await play({ ports: slowly })).outcome).toMatchObject({
      phase: "rolledBack",
      reason: { message: "shift was not done within 10 s" },
    });
  });

  it("that compare fail a candidate that is worse than the stable version", async () => {
    const { outcome } = await play({
      plan: parallel,
      ports: (usual) => ({
        prober: {
          measure: async (wanted, signal) => {
            const measurement = await usual.prober.measure(wanted, signal);
            const isLate = wanted.target === "candidate" && wanted.sequence > 10;
            return isLate ? { ...measurement, verdict: "fail" } : measurement;
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "verification-failed" } });
    if (outcome.phase === "rolledBack")
      expect(outcome.reason.message).toContain("answers: the candidate failed 69 of 80");
  });
});

describe("a hook", () => {
  const hooked = (change: { readonly limitMs?: number; readonly readOnlyLimitMs?: number } = {}) =>
    planOf("parallel", {
      steps: [
        runHook("sync", { limitMs: 60_000, undo: "stop sync" }),
        runHook("stop writes", { limitMs: change.limitMs ?? 60_000, undo: "allow writes", startsReadOnly: true }),
      ],
      readOnlyLimitMs: change.readOnlyLimitMs,
    });

  it("is written down on the router before it runs, with what takes it back", async () => {
    const { renewals } = await play({ plan: hooked() });
    expect(renewals.slice(0, 2).map(({ undo }) => undo)).toEqual([["stop sync"], ["allow writes", "stop sync"]]);
    expect(renewals[1]?.readOnly).toMatchObject({ undoBefore: 1 });
  });

  it("that is not written down does not run", async () => {
    const { outcome, calls } = await play({
      plan: hooked(),
      ports: () => ({ router: { renew: () => Promise.reject(new RouterConflict("another run has the router")) } }),
    });
    expect(outcome).toMatchObject({ phase: "unsettled", reason: { code: "taken-over" } });
    expect(calls).toEqual(["claim 1"]);
  });

  it("that fails is taken back too, since it may have done a part", async () => {
    const { outcome, calls } = await play({
      plan: hooked(),
      ports: (usual) => ({
        hooks: {
          run: async (name, signal) => {
            await usual.hooks.run(name, signal);
            if (name === "stop writes") throw new Error("the hook stop writes failed: no such database");
          },
        },
      }),
    });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      reason: { code: "hook-failed", message: "the hook stop writes failed: no such database" },
    });
    expect(calls).toEqual([
      "claim 1",
      "hook sync",
      "hook stop writes",
      'restore {"old":100}',
      "disconnect new",
      "hook allow writes",
      "hook stop sync",
      "release",
    ]);
  });

  it("has the time that its step gives it", async () => {
    const { outcome } = await play({
      plan: hooked({ limitMs: 5_000 }),
      ports: () => ({ hooks: { run: hangsOnce() } }),
    });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      reason: { code: "hook-failed", message: "the hook sync was not done within 60 s" },
    });
  });

  it("that takes back has five minutes; when it fails, the marker stays and says what is left", async () => {
    const { outcome, router, tookMs } = await play({
      plan: hooked(),
      ports: (usual) => ({
        hooks: {
          run: (name, signal) => {
            if (name === "stop writes") return Promise.reject(new Error("no such database"));
            return name === "stop sync" ? hangs(name, signal) : usual.hooks.run(name, signal);
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "unsettled", cause: "the hook stop sync was not done within 300 s" });
    expect(router?.marker).toMatchObject({ transaction: "ours", undo: ["stop sync"] });
    expect(tookMs).toBeGreaterThanOrEqual(300_000);
  });

  it("that was left to be taken back by a run that is gone is taken back before anything else", async () => {
    const { outcome, calls, facts } = await play({
      before: {
        weights: { new: 100 },
        marker: markerOf({
          undo: ["allow writes", "stop sync"],
          readOnly: { sinceMs: startMs - 5_000, undoBefore: 1 },
        }),
      },
    });
    expect(outcome.phase).toBe("committed");
    expect(calls).toEqual([
      "claim 4",
      'restore {"old":100}',
      "disconnect new",
      "hook allow writes",
      "hook stop sync",
      'shift {"new":100}',
      "release",
    ]);
    expect(facts).toContainEqual({ kind: "readOnlyMoment", durationMs: 5_000 });
  });
});

describe("the moment in which nobody can write", () => {
  const plan = planOf("parallel", {
    steps: [
      runHook("stop writes", { limitMs: 60_000, undo: "allow writes", startsReadOnly: true }),
      runHook("last sync", { limitMs: 60_000 }),
    ],
    readOnlyLimitMs: 10_000,
    holdMs: 0,
  });
  const syncing =
    (lastsMs: number): NonNullable<Scene["ports"]> =>
    (usual, at) => ({
      hooks: {
        run: async (name, signal) => {
          if (name === "last sync") await at.sleep(lastsMs, signal);
          if (signal.aborted) throw new Error("stopped");
          return usual.hooks.run(name, signal);
        },
      },
    });

  it("is measured until traffic has moved", async () => {
    const { outcome, facts } = await play({ plan, ports: syncing(7_000) });
    expect(outcome.phase).toBe("committed");
    expect(facts).toContainEqual({ kind: "readOnlyMoment", durationMs: 7_000 });
  });

  it("ends whatever is under way when it lasts too long, and people can write again", async () => {
    const { outcome, calls, facts, tookMs } = await play({ plan, ports: syncing(40_000) });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      weights: { old: 100 },
      reason: {
        code: "read-only-too-long",
        message:
          "Nobody could write for 10001 ms, more than readOnlyLimitMs = 10000. Make the last synchronisation shorter, or raise the limit",
      },
    });
    expect(calls).toEqual([
      "claim 1",
      "hook stop writes",
      'restore {"old":100}',
      "disconnect new",
      "hook allow writes",
      "release",
    ]);
    expect(facts).toContainEqual({ kind: "readOnlyMoment", durationMs: 10_001 });
    expect(tookMs).toBeLessThan(15_000);
  });

  it("is not watched any more once it is over", async () => {
    const { outcome } = await play({
      plan: planOf("parallel", {
        steps: [runHook("stop writes", { limitMs: 60_000, undo: "allow writes", startsReadOnly: true })],
        readOnlyLimitMs: 10_000,
        holdMs: 60_000,
      }),
    });
    expect(outcome.phase).toBe("committed");
  });
});

describe("probes in the background", () => {
  const background = (startingStep = 0): Plan =>
    planOf("progressive", { steps: [setWeight(20), soak(60_000)], background: { startingStep, probes: ["errors"] } });
  /** The service's errors show from so many milliseconds on, and to this probe alone. */
  const failingFrom =
    (fromMs: number): NonNullable<Scene["ports"]> =>
    (usual, at) => ({
      prober: {
        measure: async (wanted, signal) => {
          const measurement = await usual.prober.measure(wanted, signal);
          const isBad = wanted.probe.name === "errors" && at.nowMs() - startMs >= fromMs;
          return isBad ? { ...measurement, verdict: "fail", message: "measured 7 % of errors" } : measurement;
        },
      },
    });
  const probes: CutoverRequest["probes"] = [
    { kind: "tcp", name: "answers", count: 2 },
    { kind: "tcp", name: "errors", count: 1, intervalMs: 1_000, targets: ["service"] },
  ];

  it("end the step under way as soon as they fail, and everything goes back", async () => {
    const hooks: string[] = [];
    const plan = planOf("parallel", {
      steps: [setWeight(20), runHook("sync", { limitMs: 60_000, undo: "stop sync" })],
      background: { probes: ["errors"] },
    });
    const { outcome, calls, tookMs } = await play({
      plan,
      request: () => ({ probes }),
      ports: (usual, at) => ({
        ...failingFrom(20_000)(usual, at),
        hooks: {
          run: async (name, signal) => {
            hooks.push(name);
            if (name === "sync") await hangs(name, signal);
          },
        },
      }),
    });
    expect(outcome).toMatchObject({
      phase: "rolledBack",
      weights: { old: 100 },
      reason: { code: "verification-failed", message: expect.stringContaining("measured 7 % of errors") as string },
    });
    expect(hooks).toEqual(["sync", "stop sync"]);
    expect(calls.at(-1)).toBe("release");
    expect(tookMs).toBeLessThan(25_000);
  });

  it("go on through all steps, and are written down", async () => {
    const { outcome, facts } = await play({ plan: background(), request: () => ({ probes }) });
    expect(outcome.phase).toBe("committed");
    const measured = facts.filter((fact) => fact.kind === "measured" && fact.measurement.probe === "errors");
    expect(measured.length).toBeGreaterThan(60);
  });

  it("begin with their step", async () => {
    const measuredBeforeTheSoak = async (startingStep: number) => {
      const { facts } = await play({ plan: background(startingStep), request: () => ({ probes }) });
      const kinds = facts.map((fact) =>
        fact.kind === "measured" ? fact.measurement.probe : fact.kind === "stepStarted" ? fact.description : fact.kind,
      );
      const soaking = kinds.indexOf("stay there for 60 s, and go on verifying");
      return kinds.slice(0, soaking).filter((kind) => kind === "errors").length;
    };
    // The verification of the weight measures with all probes of the service, until both versions have answered.
    expect(await measuredBeforeTheSoak(1)).toBe(2);
    expect(await measuredBeforeTheSoak(0)).toBeGreaterThan(2);
  });

  it("do not stop the way back", async () => {
    const { outcome, calls } = await play({
      plan: background(),
      request: () => ({ probes }),
      ports: (usual, at) => ({
        ...failingFrom(5_000)(usual, at),
        router: {
          restore: async (origin, marker, signal) => {
            await at.sleep(30_000, signal);
            return usual.router.restore(origin, marker, signal);
          },
        },
      }),
    });
    expect(outcome).toMatchObject({ phase: "rolledBack", weights: { old: 100 } });
    expect(calls).toContain('restore {"old":100}');
  });

  it("that cannot be measured at all are no reason to go on", async () => {
    const plan = planOf("progressive", { steps: [soak(60_000)], background: { probes: ["hmoe"] } });
    expect((await play({ plan, request: () => ({ probes }) })).outcome).toMatchObject({
      phase: "rolledBack",
      reason: { message: 'there is no probe "hmoe" to measure with' },
    });
  });
});

describe("a pause", () => {
  const plan = (approved: readonly string[] = []) =>
    planOf("parallel", {
      steps: [
        mirror(10),
        runHook("sync", { limitMs: 1_000, undo: "stop sync" }),
        setWeight(20),
        pause("look"),
        runHook("stop writes", { limitMs: 1_000, undo: "allow writes", startsReadOnly: true }),
      ],
      approved,
      holdMs: 0,
    });
  const transaction = (router: Played["router"], approved: readonly string[] = []) => {
    const { marker: _marker, ...before } = router ?? { weights: {}, marker: null };
    return { plan: plan(approved), before };
  };
  const stable = (candidate = "new", approved: readonly string[] = []) => ({
    request: () => ({
      transaction: {
        id: "ours",
        candidate,
        stable: "old",
        plan: plan(approved),
        owner: { host: "here", processId: 7, processStart: "boot/7" },
        leaseMs,
      },
    }),
  });

  it("ends the update well, with what the plan says at it, and the next one goes on", async () => {
    const first = await play({ plan: plan(), ...stable() });
    expect(first.outcome).toMatchObject({ phase: "committed", weights: { new: 20, old: 80 } });
    expect(first.progress.at(-1)).toBe(
      'end this update here, with both versions in service, until a later commit approves "look"',
    );
    expect(first.router).toMatchObject({
      weights: { new: 20, old: 80 },
      mirrorPercent: 10,
      marker: null,
      memory: { rest: { candidate: "new", pause: "look", undo: ["stop sync"] } },
    });
    const second = await play({ ...transaction(first.router, ["look"]), ...stable("new", ["look"]) });
    expect(second.outcome).toMatchObject({ phase: "committed", weights: { new: 100 }, memory: { history: ["new"] } });
    expect(second.calls).toEqual([
      "claim 1",
      'shift {"new":20,"old":80} with mirrorPercent',
      "hook stop writes",
      'shift {"new":100}',
      "release",
    ]);
  });

  it("is given up for the version in service, which serves all the while, and then alone", async () => {
    const first = await play({ plan: plan(), ...stable() });
    const { outcome, calls, router, progress } = await play({ ...transaction(first.router), ...stable("old") });
    expect(progress.slice(0, 1)).toEqual([
      'the pause "look" is given up first, of new: traffic goes back to old 100 %, and stop sync run to take back what was done; then old has all traffic already',
    ]);
    expect(outcome).toMatchObject({ phase: "committed", weights: { old: 100 } });
    expect(calls).toEqual([
      "claim 1",
      'restore {"old":100}',
      "disconnect new",
      "hook stop sync",
      'shift {"old":100}',
      "release",
    ]);
    expect(router).toEqual({ weights: { old: 100 }, marker: null, shape: "declared", memory: { history: ["old"] } });
  });

  it("is not gone back to when the next update fails: the candidate has nothing any more, and its hooks are taken back", async () => {
    const first = await play({ plan: plan(), ...stable() });
    const second = await play({
      ...transaction(first.router, ["look"]),
      ...stable("new", ["look"]),
      health: { new: "fail" },
    });
    expect(second.outcome).toMatchObject({ phase: "rolledBack", weights: { old: 100 }, stableVerified: true });
    expect(second.calls).toEqual([
      "claim 1",
      'shift {"new":20,"old":80} with mirrorPercent',
      'restore {"old":100}',
      "disconnect new",
      "hook stop sync",
      "release",
    ]);
    expect(second.router).not.toHaveProperty("mirrorPercent");
    expect(second.router?.memory).not.toHaveProperty("rest");
  });
});
