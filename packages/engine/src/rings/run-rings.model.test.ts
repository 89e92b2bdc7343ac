import {
  BasculeError,
  messageOf,
  nextEntry,
  planRings,
  type JournalEntry,
  type RingFact,
  type RingOutcome,
  type RingPlan,
  type RingSpec,
  type Target,
  type TargetMarker,
  type TargetObservation,
} from "@bascule/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "../fake-clock.ts";
import { runRings, type RingPorts } from "./run-rings.ts";

/*
 * Draws whole histories of releases by rings: who is in which ring, on which target a version does not work, what each call of the
 * world answers, whether a write that failed was written all the same or half, when a process dies or stands still, whether one of
 * its writes lands long after. However a history went, no promise is broken on the way, and the next healthy run finds every target
 * where it has to be, or puts it there.
 *
 *   BASCULE_MODEL_RUNS   how many histories; default 2000
 *   BASCULE_MODEL_SEED   the seed that a failure prints, to see it again
 */
const numberOfRuns = Number(process.env["BASCULE_MODEL_RUNS"] ?? 2_000);
const seed = process.env["BASCULE_MODEL_SEED"] === undefined ? {} : { seed: Number(process.env["BASCULE_MODEL_SEED"]) };

/** What one call of a process meets once so many of its writes are done. */
interface Fate {
  readonly kind: "ok" | "slow" | "fail" | "hang" | "crash" | "late" | "crashLate" | "freeze";
  readonly afterWrites: number;
  /** After so many more calls of anybody, what is late lands, and who stands still goes on. */
  readonly calls: number;
}

interface RunPlan {
  readonly candidate: "new" | "same" | "reverted";
  /** On which of the targets a new version does not work, by their places. */
  readonly brokenOn: readonly number[];
  readonly rings: readonly RingSpec[];
  readonly isShort: boolean;
  readonly fates: readonly Fate[];
  /** A target, by its place, that is switched off from this call on until the run is over. */
  readonly away: { readonly place: number; readonly fromCall: number } | undefined;
  /** The call at which the process that asked for the release is found gone, or somebody asks for an abort. */
  readonly ownerLostAt: number | undefined;
  readonly abortAt: number | undefined;
  /** Whether the caller's records come to know that the run completed. */
  readonly isRecorded: boolean;
}

interface History {
  readonly sites: readonly ("a" | "b")[];
  readonly runs: readonly RunPlan[];
}

interface Process {
  readonly run: string;
  readonly candidate: string;
  readonly plan: RingPlan;
  readonly drawn: RunPlan;
  state: "running" | "frozen" | "dead" | "ended";
  calls: number;
  hasWritten: boolean;
  /** Somebody else wrote to a target meanwhile. */
  isDisturbed: boolean;
  thawAtCall: number;
  outcome: RingOutcome | undefined;
  /** What it had to write down, whether or not it could. */
  readonly facts: RingFact[];
  readonly busy: string[];
  readonly applied: Set<string>;
  thaw: (() => void)[];
  readonly ownerLost: AbortController;
  readonly abort: AbortController;
}

interface World {
  readonly clock: FakeClock;
  readonly targets: readonly Target[];
  readonly state: Map<string, TargetObservation>;
  /** What each target goes back to: its version when the caller's records last named a run as completed. */
  readonly had: Map<string, string | null>;
  /** `version@target` where the version does not work. */
  readonly broken: Set<string>;
  completedRuns: readonly string[];
  readonly processes: Process[];
  revision: number;
  calls: number;
  /** The first promise that was broken. */
  violation: unknown;
  late: { readonly atCall: number; readonly land: () => void }[];
}

class Refused extends Error {
  override readonly name = "Refused";
}

class SwitchedOff extends Error {
  override readonly name = "SwitchedOff";
}

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** The engine takes what a port throws for a failure of the world, so a broken promise is kept for the end. */
function promise(world: World, check: () => void): void {
  try {
    check();
  } catch (thrown) {
    world.violation ??= thrown;
  }
}

function look(world: World, target: string): TargetObservation {
  const found = world.state.get(target);
  demand(found !== undefined, `there is no target ${target}`);
  return found;
}

/** The one way to change a target. Gives the new revision. */
function write(world: World, by: Process, target: string, version: string | null, marker: TargetMarker | null): string {
  by.hasWritten = true;
  for (const other of world.processes) if (other !== by) other.isDisturbed = true;
  if (marker) {
    const had = world.had.get(target) ?? null;
    promise(world, () => {
      demand(marker.origin === had, `${by.run} would take ${target} back to ${marker.origin} instead of ${had}`);
    });
  }
  const revision = String(++world.revision);
  world.state.set(target, { version, marker, revision });
  return revision;
}

function isWorking(world: World, target: string, version: string): boolean {
  return !world.broken.has(`${version}@${target}`);
}

function portsOf(world: World, process: Process): RingPorts {
  const { plan, drawn } = process;
  const clock = world.clock.view(() => process.state === "running");
  const ringOf = new Map(plan.rings.flatMap(({ targets }, ring) => targets.map((target) => [target, ring] as const)));

  const mustBeThere = (target: string) => {
    const { away } = drawn;
    if (!away || process.calls < away.fromCall) return;
    const isAway = world.targets[away.place % world.targets.length]?.id === target;
    if (isAway && process.state === "running") throw new SwitchedOff("it is switched off");
  };

  async function call<Result>(
    signal: AbortSignal,
    writes: readonly (() => void)[],
    result: () => Result,
  ): Promise<Result> {
    const fate = drawn.fates[process.calls++] ?? { kind: "ok", afterWrites: 0, calls: 0 };
    if (process.calls === drawn.ownerLostAt) process.ownerLost.abort();
    if (process.calls === drawn.abortAt) process.abort.abort();
    passCall(world);
    const early = writes.slice(0, fate.afterWrites);
    const left = writes.slice(fate.afterWrites);
    const stopsHere = new Promise<never>(() => {});
    await clock.sleep(fate.kind === "slow" ? 1_500 : 10, signal);
    if (signal.aborted) throw new Error("given up");
    switch (fate.kind) {
      case "ok":
      case "slow":
        for (const each of writes) {
          each();
          await clock.sleep(10);
        }
        return result();
      case "fail":
        for (const each of early) each();
        throw new Error("failed");
      case "hang":
        for (const each of early) each();
        return givenUp(signal);
      case "crash":
        for (const each of early) each();
        process.state = "dead";
        return stopsHere;
      case "late":
        for (const each of early) each();
        landLater(world, fate.calls, left);
        return givenUp(signal);
      case "crashLate":
        for (const each of early) each();
        landLater(world, fate.calls, left);
        process.state = "dead";
        return stopsHere;
      case "freeze":
        for (const each of early) each();
        process.state = "frozen";
        process.thawAtCall = world.calls + fate.calls;
        await new Promise<void>((resolve) => process.thaw.push(resolve));
        for (const each of left) each();
        return result();
    }
  }

  /** Watches how many targets a caller has under way, as it sees them: a call that it gave up is none any more. */
  async function change<Result>(target: string, signal: AbortSignal, attempt: () => Promise<Result>): Promise<Result> {
    const ring = ringOf.get(target) ?? -1;
    const over = () => {
      const place = process.busy.indexOf(target);
      if (place >= 0) process.busy.splice(place, 1);
    };
    process.busy.push(target);
    promise(world, () => {
      const allowed = plan.rings[ring]?.concurrency ?? 0;
      demand(process.busy.length <= allowed, `${process.busy.join()} are under way at once, and ${allowed} may be`);
      demand(
        process.busy.every((busy) => ringOf.get(busy) === ring),
        "two rings are under way at once",
      );
    });
    signal.addEventListener("abort", over, { once: true });
    try {
      return await attempt();
    } finally {
      signal.removeEventListener("abort", over);
      over();
    }
  }

  let last: JournalEntry | undefined;
  return {
    clock,
    target: {
      observe: (target, signal) =>
        call(signal, [], () => {
          mustBeThere(target);
          return look(world, target);
        }),
      apply: (target, marker, expects, signal) => {
        promise(world, () => checkOrder(process, target));
        process.applied.add(target);
        let mine = "";
        return change(target, signal, () =>
          call(
            signal,
            [
              () => {
                mustBeThere(target);
                if (look(world, target).revision !== expects.revision) throw new Refused("it is not as expected");
                mine = write(world, process, target, null, marker);
              },
              () => {
                mustBeThere(target);
                if (look(world, target).revision !== mine) throw new Refused("somebody else wrote");
                write(world, process, target, marker.candidate, marker);
              },
            ],
            () => undefined,
          ),
        );
      },
      rollBack: (target, marker, expects, signal) => {
        let mine = "";
        return change(target, signal, () =>
          call(
            signal,
            [
              () => {
                mustBeThere(target);
                const found = look(world, target);
                if (found.marker?.run !== marker.run && found.revision !== expects.revision)
                  throw new Refused("it is not ours");
                mine = write(world, process, target, null, marker);
              },
              () => {
                mustBeThere(target);
                if (look(world, target).revision !== mine) throw new Refused("somebody else wrote");
                write(world, process, target, marker.origin, null);
              },
            ],
            () => undefined,
          ),
        );
      },
      verify: (target, version, signal) =>
        change(target, signal, () =>
          call(signal, [], () => {
            mustBeThere(target);
            const passed = look(world, target).version === version && isWorking(world, target, version);
            return { passed, message: passed ? "works" : "does not work" };
          }),
        ),
    },
    journal: {
      append: (run, fact) => {
        if (isRingFact(fact)) process.facts.push(fact);
        return call(new AbortController().signal, [], () => {
          last = nextEntry(last, run, fact, clock.nowMs());
          return last;
        });
      },
    },
  };
}

const ringFactKinds = new Set(["targetUnreachable", "targetVerified", "targetFailed", "targetBegun", "targetStuck"]);

function isRingFact(fact: { readonly kind: string }): fact is RingFact {
  return ringFactKinds.has(fact.kind);
}

/** A target begins only when every ring before its own has passed, and as long as its own ring's budget lasts. */
function checkOrder({ plan, facts, applied }: Process, target: string): void {
  if (applied.has(target)) return;
  const ring = plan.rings.findIndex(({ targets }) => targets.includes(target));
  const verified = new Set(facts.flatMap((fact) => (fact.kind === "targetVerified" ? [fact.target] : [])));
  const failed = new Set(facts.flatMap((fact) => (fact.kind === "targetFailed" ? [fact.target] : [])));
  plan.rings.slice(0, ring + 1).forEach(({ name, targets, failureBudget, isPilot }, place) => {
    const failures = targets.filter((each) => failed.has(each)).length;
    demand(failures <= failureBudget, `${target} began although ${failures} of ${name} failed`);
    if (isPilot && place < ring)
      demand(
        targets.every((each) => verified.has(each)),
        `${target} began before the pilot was verified`,
      );
    if (place < ring)
      demand(
        targets.every((each) => verified.has(each) || failed.has(each)),
        `${target} began before ${name} was over`,
      );
  });
}

function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("given up")), { once: true });
  });
}

function landLater(world: World, calls: number, writes: readonly (() => void)[]): void {
  world.late.push({
    atCall: world.calls + calls,
    land: () => {
      try {
        for (const each of writes) each();
      } catch (thrown) {
        // That it is refused, or the target is off, nobody is there to hear.
        if (!(thrown instanceof Refused || thrown instanceof SwitchedOff)) throw thrown;
      }
    },
  });
}

/** Another call of anybody: late writes land and frozen processes go on. */
function passCall(world: World): void {
  world.calls++;
  for (const late of world.late.filter(({ atCall }) => atCall <= world.calls)) land(world, late);
  for (const process of world.processes) if (process.thawAtCall <= world.calls) thaw(world, process);
}

function land(world: World, late: World["late"][number]): void {
  world.late.splice(world.late.indexOf(late), 1);
  late.land();
}

function thaw(world: World, process: Process): void {
  if (process.state !== "frozen") return;
  process.state = "running";
  // A second update begins only when the first one's lock was taken away, and its process with it.
  if (process !== world.processes.at(-1)) process.ownerLost.abort();
  for (const resume of process.thaw.splice(0)) resume();
}

/** Starts a process that runs one release, and lets time pass until it has ended, died or stands still. */
async function start(world: World, drawn: RunPlan, candidate: string): Promise<Process> {
  const process: Process = {
    run: `run-${world.processes.length + 1}`,
    candidate,
    plan: planOf(world.targets, drawn),
    drawn,
    state: "running",
    calls: 0,
    hasWritten: false,
    isDisturbed: false,
    thawAtCall: Number.POSITIVE_INFINITY,
    outcome: undefined,
    facts: [],
    busy: [],
    applied: new Set(),
    thaw: [],
    ownerLost: new AbortController(),
    abort: new AbortController(),
  };
  world.processes.push(process);
  const { run: id, plan } = process;
  void runRings(
    {
      run: { id, candidate, plan, completedRuns: world.completedRuns },
      change: {},
      ownerLost: process.ownerLost.signal,
      abort: process.abort.signal,
    },
    portsOf(world, process),
  ).then(
    (outcome) => {
      process.outcome = outcome;
      process.state = "ended";
      promise(world, () => checkOutcome(world, process, outcome));
      if (outcome.phase === "completed" && drawn.isRecorded) recordCompletion(world, process);
    },
    (thrown: unknown) => {
      process.state = "ended";
      world.violation ??= thrown;
    },
  );
  await world.clock.passUntil(() => process.state !== "running");
  demandNoViolation(world);
  return process;
}

/** A run that was frozen while later ones began is not the caller's any more. */
function recordCompletion(world: World, process: Process): void {
  if (process !== world.processes.at(-1)) return;
  world.completedRuns = [process.run, ...world.completedRuns];
  for (const { id } of world.targets) {
    const { version, marker } = look(world, id);
    // What an unfinished run left, and could not be reached, still goes back to what it had before that one.
    if (marker && !world.completedRuns.includes(marker.run)) continue;
    world.had.set(id, version ?? marker?.origin ?? null);
  }
}

function demandNoViolation({ violation }: World): void {
  if (violation !== undefined) throw new Error(messageOf(violation), { cause: violation });
}

/** What a run says must be so. */
function checkOutcome(world: World, process: Process, outcome: RingOutcome): void {
  if (process.isDisturbed || outcome.phase === "refused") {
    demand(outcome.phase !== "refused" || !process.hasWritten, "refused, but something was written");
    return;
  }
  const idsIn = (kind: RingFact["kind"]) =>
    new Set(process.facts.flatMap((fact) => ("target" in fact && fact.kind === kind ? [fact.target] : [])));
  const unreachable = idsIn("targetUnreachable");
  const failed = new Set(outcome.report.failed.map(({ target }) => target));
  const stuck = new Set(outcome.report.stuck.map(({ target }) => target));
  for (const { id } of world.targets) {
    if (unreachable.has(id) || stuck.has(id)) continue;
    const { version, marker } = look(world, id);
    const isAsBefore = version === (world.had.get(id) ?? null);
    const isOnCandidate = version === process.candidate && isWorking(world, id, version);
    const found = `${id} has ${version} and the marker ${JSON.stringify(marker)} after ${outcome.phase}`;
    if (outcome.phase === "completed") demand(failed.has(id) ? isAsBefore : isOnCandidate, found);
    if (outcome.phase === "rolledBack" || outcome.phase === "unsettled") {
      demand(isAsBefore && (!marker || world.completedRuns.includes(marker.run)), found);
    }
    if (outcome.phase === "stopped") {
      const isLeft = marker !== null && marker.run !== process.run;
      demand(isAsBefore || (isOnCandidate && !failed.has(id)) || isLeft, found);
    }
  }
  demand(outcome.phase !== "unsettled" || stuck.size > 0, "unsettled, but no target is stuck");
}

/** The drawn rings where they fit the targets; else all targets in one ring. */
function planOf(targets: readonly Target[], { rings, isShort }: RunPlan): RingPlan {
  const soakedMs = rings.reduce((sum, { soakMs = 0 }) => sum + soakMs, 0);
  const options = {
    limits: { observeMs: 2_000, applyMs: 2_000, rollBackMs: 2_000, verifyMs: 2_000 },
    ...(isShort ? { deadlineMs: soakedMs + 300 } : {}),
  };
  try {
    return planRings(targets, { ...options, rings: [...rings] });
  } catch (thrown) {
    if (!(thrown instanceof BasculeError)) throw thrown;
    return planRings(targets, { ...options, rings: [{ rest: true, soakMs: soakedMs }] });
  }
}

const calm: Omit<RunPlan, "candidate" | "brokenOn"> = {
  rings: [{ rest: true, concurrency: 3 }],
  isShort: false,
  fates: [],
  away: undefined,
  ownerLostAt: undefined,
  abortAt: undefined,
  isRecorded: true,
};

/** Plays a history, then heals the world and asks for what is right at the end. Gives what happened, for the statistics. */
async function play(history: History): Promise<string[]> {
  const targets = history.sites.map((site, index) => ({ id: `host-${index + 1}`, labels: { site } }));
  const world: World = {
    clock: createFakeClock(),
    targets,
    state: new Map(targets.map(({ id }) => [id, { version: "v0", marker: null, revision: "0" }])),
    had: new Map(targets.map(({ id }) => [id, "v0"])),
    broken: new Set(),
    completedRuns: [],
    processes: [],
    revision: 0,
    calls: 0,
    violation: undefined,
    late: [],
  };
  let stable = "v0";
  let latest = "v0";
  let versions = 0;
  const events: string[] = [];

  const release = async (drawn: RunPlan): Promise<Process> => {
    const known = drawn.candidate === "same" ? latest : drawn.candidate === "reverted" ? stable : undefined;
    const candidate = known ?? `v${++versions}`;
    if (known === undefined) {
      for (const place of drawn.brokenOn) world.broken.add(`${candidate}@host-${(place % targets.length) + 1}`);
    }
    latest = candidate;
    const process = await start(world, drawn, candidate);
    if (world.completedRuns[0] === process.run) stable = candidate;
    events.push(process.outcome?.phase ?? process.state);
    return process;
  };

  for (const drawn of history.runs) await release(drawn);

  // Everything that was still on its way arrives, in the worst order: after the runs.
  while (world.late.length > 0 || world.processes.some(({ state }) => state === "frozen")) {
    if (world.late[0]) land(world, world.late[0]);
    for (const process of world.processes) thaw(world, process);
    await world.clock.passUntil(() => world.processes.every(({ state }) => state !== "running"));
  }
  demandNoViolation(world);

  const bad = await release({ ...calm, candidate: "new", brokenOn: [targets.length - 1] });
  demand(bad.outcome?.phase === "rolledBack", `a broken version ended ${JSON.stringify(bad.outcome ?? bad.state)}`);
  const good = await release({ ...calm, candidate: "new", brokenOn: [] });
  demand(good.outcome?.phase === "completed", `a healthy version ended ${JSON.stringify(good.outcome ?? good.state)}`);
  for (const { id } of targets) demand(look(world, id).version === good.candidate, `${id} is not on the candidate`);
  return events.slice(0, -2);
}

const fate: fc.Arbitrary<Fate> = fc.record({
  kind: fc.oneof(
    { weight: 70, arbitrary: fc.constant("ok" as const) },
    { weight: 6, arbitrary: fc.constantFrom("slow" as const, "fail" as const, "hang" as const, "late" as const) },
    { weight: 2, arbitrary: fc.constantFrom("crash" as const, "crashLate" as const, "freeze" as const) },
  ),
  afterWrites: fc.nat({ max: 2 }),
  calls: fc.nat({ max: 60 }),
});
const seldom = fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined, freq: 6 });

const manner = fc.record(
  {
    concurrency: fc.integer({ min: 1, max: 4 }),
    failureBudget: fc.constantFrom(0, { percent: 40 }, { percent: 60 }),
    soakMs: fc.constantFrom(0, 500),
    onFailure: fc.constantFrom("stop" as const, "rollBackRing" as const, "rollBackAll" as const),
  },
  { requiredKeys: [] },
);
const pilotManner = manner.map(({ concurrency, soakMs }) => ({
  ...(concurrency === undefined ? {} : { concurrency }),
  ...(soakMs === undefined ? {} : { soakMs }),
  pilot: true as const,
}));
const rings: fc.Arbitrary<RingSpec[]> = fc
  .tuple(
    fc.constantFrom<readonly RingSpec[]>(
      [{ rest: true }],
      [{ count: 1 }, { rest: true }],
      [{ count: 1 }, { percent: 40 }, { rest: true }],
      [{ percent: 30 }, { percent: 70 }],
      [{ label: { site: "a" } }, { rest: true }],
      [{ targets: ["host-2"] }, { count: 2 }, { rest: true }],
      [{ rest: true }, { label: { site: "b" } }],
    ),
    fc.boolean(),
    pilotManner,
    fc.array(manner, { minLength: 3, maxLength: 3 }),
  )
  .map(([specs, hasPilot, pilot, manners]) =>
    specs.map((spec, place) => ({ ...spec, ...(hasPilot && place === 0 ? pilot : manners[place]) })),
  );

const history: fc.Arbitrary<History> = fc.record({
  sites: fc.array(fc.constantFrom("a" as const, "b" as const), { minLength: 1, maxLength: 7, size: "max" }),
  runs: fc.array(
    fc.record({
      candidate: fc.constantFrom("new" as const, "same" as const, "reverted" as const),
      brokenOn: fc.oneof(fc.constant([]), fc.array(fc.nat({ max: 6 }), { maxLength: 3 })),
      rings,
      isShort: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0),
      fates: fc.array(fate, { maxLength: 80, size: "max" }),
      away: fc.option(fc.record({ place: fc.nat({ max: 6 }), fromCall: fc.nat({ max: 60 }) }), {
        nil: undefined,
        freq: 2,
      }),
      ownerLostAt: seldom,
      abortAt: seldom,
      isRecorded: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn > 1),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

it(
  `takes every target to the candidate or back to what it had, in ${numberOfRuns} random histories`,
  { timeout: 600_000 },
  async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(history, async (drawn) => {
        for (const event of await play(drawn)) seen.set(event, (seen.get(event) ?? 0) + 1);
      }),
      { numRuns: numberOfRuns, ...seed },
    );
    // The model would prove little if some end were never reached.
    for (const end of ["completed", "stopped", "rolledBack", "refused", "unsettled", "dead", "frozen"])
      expect(seen.get(end), end).toBeGreaterThan(numberOfRuns / 200);
  },
);
