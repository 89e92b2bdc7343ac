import {
  nextEntry,
  planRings,
  type JournalEntry,
  type JournalFact,
  type RingOptions,
  type RingOutcome,
  type TargetObservation,
} from "@bascule/core";
import { describe, expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "../fake-clock.ts";
import { runRings, type RingPorts, type RingRequest } from "./run-rings.ts";
import type { RingTarget } from "./ring-target.ts";

const startMs = Date.UTC(2026, 10, 24, 12);
const changeMs = 1_000;

interface Scene {
  readonly rings: RingOptions["rings"];
  readonly targets?: number;
  readonly options?: Partial<RingOptions>;
  /** How single targets are found. Default: `v1` without a marker. */
  readonly before?: Readonly<Record<string, Omit<TargetObservation, "revision">>>;
  /** Where the candidate does not work. */
  readonly broken?: readonly string[];
  readonly request?: (at: FakeClock) => Partial<RingRequest>;
  /** Replaces what single calls do. */
  readonly target?: (usual: RingTarget, at: FakeClock) => Partial<RingTarget>;
  readonly append?: (usual: () => Promise<JournalEntry>, at: FakeClock) => Promise<JournalEntry>;
}

interface Played {
  readonly outcome: RingOutcome;
  /** Writes with their time since the start in seconds, for example `1 apply t1`. */
  readonly writes: string[];
  readonly versions: Readonly<Record<string, string | null>>;
  readonly markers: string[];
  readonly facts: JournalFact[];
  readonly progress: string[];
  readonly tookMs: number;
}

async function play(scene: Scene): Promise<Played> {
  const clock = createFakeClock(startMs);
  const ids = Array.from({ length: scene.targets ?? 3 }, (_, index) => `t${index + 1}`);
  const world = new Map<string, TargetObservation>(
    ids.map((id) => [id, { version: "v1", marker: null, ...scene.before?.[id], revision: "0" }]),
  );
  const writes: string[] = [];
  const facts: JournalFact[] = [];
  const progress: string[] = [];
  let revisions = 0;
  let last: JournalEntry | undefined;
  const at = (id: string): TargetObservation => {
    const found = world.get(id);
    if (!found) throw new Error(`there is no target ${id}`);
    return found;
  };
  const write = (what: string, id: string, next: Omit<TargetObservation, "revision">) => {
    writes.push(`${(clock.nowMs() - startMs) / 1_000} ${what} ${id}`);
    world.set(id, { ...next, revision: String(++revisions) });
  };
  const usual: RingTarget = {
    observe: async (id) => at(id),
    apply: async (id, marker, expects, signal) => {
      if (at(id).revision !== expects.revision) throw new Error("it is not as expected");
      write("apply", id, { version: null, marker });
      await clock.sleep(changeMs, signal);
      if (signal.aborted) throw new Error("given up");
      world.set(id, { ...at(id), version: marker.candidate });
    },
    rollBack: async (id, marker, expects, signal) => {
      const found = at(id);
      if (found.marker?.run !== marker.run && found.revision !== expects.revision) throw new Error("it is not ours");
      write("rollBack", id, { version: null, marker });
      await clock.sleep(changeMs, signal);
      write("back", id, { version: marker.origin, marker: null });
    },
    verify: async (id, version) => {
      const works = at(id).version === version && !(version === "v2" && scene.broken?.includes(id));
      return { passed: works, message: works ? "answers" : "answers 500" };
    },
  };
  const ports: RingPorts = {
    clock,
    target: { ...usual, ...scene.target?.(usual, clock) },
    journal: {
      append: (run, fact) => {
        const append = async () => {
          last = nextEntry(last, run, fact, clock.nowMs());
          facts.push(fact);
          return last;
        };
        return scene.append ? scene.append(append, clock) : append();
      },
    },
  };
  const plan = planRings(
    ids.map((id) => ({ id })),
    { rings: scene.rings, ...scene.options },
  );
  const outcome = await clock.passUntilSettled(
    runRings(
      {
        run: { id: "run", candidate: "v2", plan, completedRuns: [] },
        change: { reason: "a test" },
        onProgress: (line) => progress.push(line),
        ...scene.request?.(clock),
      },
      ports,
    ),
  );
  return {
    outcome,
    writes,
    versions: Object.fromEntries([...world].map(([id, { version }]) => [id, version])),
    markers: [...world].flatMap(([id, { marker }]) => (marker ? [id] : [])),
    facts,
    progress,
    tookMs: clock.nowMs() - startMs,
  };
}

const kindsOf = ({ facts }: Played) => facts.map(({ kind }) => kind);
const onlyFirst: RingOptions["rings"] = [
  { count: 1, pilot: true },
  { rest: true, concurrency: 2 },
];

describe("a release by rings", () => {
  it("brings every target to the candidate, pilot first, as many at once as allowed", async () => {
    const played = await play({ rings: onlyFirst, targets: 4 });
    expect(played.outcome.phase).toBe("completed");
    expect(played.writes).toEqual(["0 apply t1", "1 apply t2", "1 apply t3", "2 apply t4"]);
    expect(played.versions).toEqual({ t1: "v2", t2: "v2", t3: "v2", t4: "v2" });
    expect(played.progress).toEqual(["pilot: 1 target", "pilot: passed", "ring 2: 3 targets", "ring 2: passed"]);
  });

  it("leaves its markers for the caller's records to overrule", async () => {
    expect((await play({ rings: onlyFirst })).markers).toEqual(["t1", "t2", "t3"]);
  });

  it("writes down the plan, every target, and the end", async () => {
    const played = await play({ rings: [{ rest: true }], targets: 1 });
    expect(played.facts).toEqual([
      {
        kind: "ringsStarted",
        candidate: "v2",
        rings: [
          {
            name: "ring 1",
            targets: 1,
            isPilot: false,
            concurrency: 1,
            failureBudget: 0,
            soakMs: 0,
            onFailure: "rollBackAll",
          },
        ],
        deadlineMs: 3_600_000,
        change: { reason: "a test" },
      },
      { kind: "targetsObserved", targets: 1, onCandidate: 0, unreachable: 0 },
      { kind: "ringStarted", ring: "ring 1", targets: 1 },
      { kind: "targetBegun", target: "t1", ring: "ring 1", origin: "v1" },
      { kind: "targetVerified", target: "t1", message: "answers" },
      { kind: "ringPassed", ring: "ring 1", failed: 0 },
      { kind: "ringsCompleted", failed: 0, stuck: [] },
    ]);
  });

  it("soaks between rings, and verifies again", async () => {
    const played = await play({ rings: [{ count: 1, soakMs: 60_000 }, { rest: true }], targets: 2 });
    expect(played.writes).toEqual(["0 apply t1", "61 apply t2"]);
    expect(kindsOf(played).filter((kind) => kind === "targetVerified")).toHaveLength(3);
  });

  it("goes back everywhere when the pilot fails", async () => {
    const played = await play({ rings: onlyFirst, broken: ["t1"] });
    expect(played.outcome).toMatchObject({ phase: "rolledBack", reason: { code: "pilot-failed" } });
    expect(played.writes).toEqual(["0 apply t1", "1 rollBack t1", "2 back t1"]);
    expect(played.versions).toEqual({ t1: "v1", t2: "v1", t3: "v1" });
    expect(played.markers).toEqual([]);
    expect(played.progress).toContain("pilot: t1 failed: answers 500");
  });

  it("goes back, the last target first, when a later ring fails", async () => {
    const played = await play({ rings: onlyFirst, broken: ["t3"] });
    expect(played.outcome).toMatchObject({
      phase: "rolledBack",
      reason: { code: "budget-exceeded" },
      report: { failed: [{ target: "t3", message: "answers 500" }], stuck: [], unverified: [] },
    });
    expect(played.writes.filter((write) => write.includes("back"))).toEqual(["3 back t3", "4 back t2", "5 back t1"]);
    expect(played.versions).toEqual({ t1: "v1", t2: "v1", t3: "v1" });
  });
});

describe("the next run", () => {
  const left = { marker: { run: "crashed", candidate: "v2", origin: "v1" } };

  it("goes on with what a crashed one left: done, half-way and not begun", async () => {
    const played = await play({
      rings: [{ rest: true }],
      before: { t1: { version: "v2", ...left }, t2: { version: null, ...left } },
    });
    expect(played.outcome.phase).toBe("completed");
    expect(played.versions).toEqual({ t1: "v2", t2: "v2", t3: "v2" });
    expect(played.progress[0]).toBe("run crashed towards v2 stopped half-way on 2 targets");
  });

  it("takes back to what was before the crashed one when it fails itself", async () => {
    const played = await play({
      rings: [{ rest: true }],
      before: { t1: { version: "v2", ...left }, t3: { version: null, ...left } },
      broken: ["t2"],
    });
    expect(played.outcome.phase).toBe("rolledBack");
    expect(played.versions).toEqual({ t1: "v1", t2: "v1", t3: "v1" });
    expect(played.markers).toEqual([]);
  });
});

describe("what interrupts lets no new target begin, and those under way end", () => {
  const rings: RingOptions["rings"] = [{ rest: true, concurrency: 2 }];

  it.each<[string, Partial<Scene>]>([
    ["owner-lost", { request: (clock) => ({ ownerLost: abortedAfter(clock, 500) }) }],
    ["abort-requested", { request: (clock) => ({ abort: abortedAfter(clock, 500) }) }],
    ["deadline-passed", { options: { deadlineMs: 500 } }],
    [
      "window-closed",
      { options: { window: { start: "2026-11-24T12:00", end: "2026-11-24T12:00:01", timeZone: "UTC" } } },
    ],
  ])("%s", async (code, scene) => {
    const played = await play({ rings, targets: 6, ...scene });
    expect(played.outcome).toMatchObject({ phase: "rolledBack", reason: { code } });
    expect(played.writes.filter((write) => write.includes("apply"))).toEqual(["0 apply t1", "0 apply t2"]);
    expect(kindsOf(played).filter((kind) => kind === "targetVerified")).toHaveLength(2);
    expect(new Set(Object.values(played.versions))).toEqual(new Set(["v1"]));
  });

  it("a soak ends at once", async () => {
    const played = await play({
      rings: [{ count: 1, soakMs: 60_000, onFailure: "stop" }, { rest: true }],
      request: (clock) => ({ abort: abortedAfter(clock, 2_000) }),
    });
    expect(played.outcome).toMatchObject({ phase: "stopped", reason: { code: "abort-requested" } });
    expect(played.tookMs).toBe(2_000);
    expect(played.versions).toEqual({ t1: "v2", t2: "v1", t3: "v1" });
    expect(played.markers).toEqual(["t1"]);
  });

  it("an owner that is gone before anything began leaves everything untouched", async () => {
    const played = await play({ rings, request: () => ({ ownerLost: AbortSignal.abort() }) });
    expect(played.outcome).toMatchObject({ phase: "refused", reason: { code: "owner-lost" } });
    expect(played.writes).toEqual([]);
  });

  it("a journal that cannot be written: what cannot be recorded is not begun", async () => {
    const played = await play({
      rings: [{ rest: true }],
      append: (usual, clock) => (clock.nowMs() > startMs ? Promise.reject(new Error("disk full")) : usual()),
    });
    expect(played.outcome).toMatchObject({ phase: "rolledBack", reason: { code: "journal-failed" } });
    expect(played.writes).toEqual(["0 apply t1", "1 rollBack t1", "2 back t1"]);
    expect(played.progress).toContain("The journal could not be written: disk full");
  });

  it("a journal that hangs does not hold up the way back", async () => {
    const played = await play({
      rings: [{ rest: true, concurrency: 50 }],
      targets: 100,
      append: (usual, clock) => (clock.nowMs() > startMs ? new Promise(() => {}) : usual()),
    });
    expect(played.outcome.phase).toBe("rolledBack");
    expect(new Set(Object.values(played.versions))).toEqual(new Set(["v1"]));
    expect(played.tookMs).toBeLessThan(120_000);
  });
});

describe("every call is bounded", () => {
  const forEver = () => new Promise<never>(() => {});
  const limits = { observeMs: 100, applyMs: 2_000, rollBackMs: 2_000, verifyMs: 300 };

  it("a look that hangs makes the target unreachable, three attempts later", async () => {
    const played = await play({
      rings: [{ rest: true }],
      options: { limits },
      target: (usual) => ({ observe: (id, signal) => (id === "t2" ? forEver() : usual.observe(id, signal)) }),
    });
    expect(played.outcome).toMatchObject({ phase: "refused", reason: { code: "targets-unreachable" } });
    expect(played.facts).toContainEqual({
      kind: "targetUnreachable",
      target: "t2",
      ring: "ring 1",
      message: "observe was not done within 0.1 s",
    });
    expect(played.tookMs).toBe(100 + 1_000 + 100 + 4_000 + 100);
  });

  it("a change that hangs is tried again, then taken back", async () => {
    const played = await play({
      rings: [{ rest: true, failureBudget: 1 }],
      options: { limits },
      target: (usual) => ({
        apply: (id, marker, expects, signal) => (id === "t1" ? forEver() : usual.apply(id, marker, expects, signal)),
      }),
    });
    expect(played.outcome).toMatchObject({
      phase: "completed",
      report: { failed: [{ target: "t1", message: "apply was not done within 2 s" }] },
    });
    expect(played.versions).toEqual({ t1: "v1", t2: "v2", t3: "v2" });
    expect(kindsOf(played).filter((kind) => kind === "targetRetried")).toHaveLength(2);
  });

  it("a change that fails once is tried again, and nobody notices", async () => {
    let calls = 0;
    const played = await play({
      rings: [{ rest: true }],
      target: (usual) => ({
        apply: async (id, marker, expects, signal) => {
          await usual.apply(id, marker, expects, signal);
          // The answer is lost after the write.
          if (++calls === 1) throw new Error("connection lost");
        },
      }),
    });
    expect(played.outcome).toMatchObject({ phase: "completed", report: { failed: [] } });
  });

  it("a verification that hangs fails the target after three attempts", async () => {
    const played = await play({
      rings: [{ rest: true }],
      targets: 1,
      options: { limits },
      target: (usual) => ({
        verify: (id, version, signal) => (version === "v2" ? forEver() : usual.verify(id, version, signal)),
      }),
    });
    expect(played.outcome).toMatchObject({
      phase: "rolledBack",
      report: { failed: [{ target: "t1", message: "verify was not done within 0.3 s" }] },
    });
    expect(played.versions).toEqual({ t1: "v1" });
  });

  it("a way back that hangs is given up after five attempts, and the next run is left a marker", async () => {
    const played = await play({
      rings: [{ rest: true }],
      targets: 1,
      broken: ["t1"],
      options: { limits },
      target: () => ({ rollBack: forEver }),
    });
    expect(played.outcome).toMatchObject({
      phase: "unsettled",
      report: { stuck: [{ target: "t1", message: "rollBack was not done within 2 s" }] },
    });
    expect(played.markers).toEqual(["t1"]);
    expect(played.progress).toContain("t1 could not be put back: rollBack was not done within 2 s");
  });
});

function abortedAfter(clock: FakeClock, durationMs: number): AbortSignal {
  const controller = new AbortController();
  void clock.sleep(durationMs).then(() => controller.abort());
  return controller.signal;
}
