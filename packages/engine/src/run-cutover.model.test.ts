import {
  messageOf,
  nextEntry,
  sameWeights,
  type JournalEntry,
  type Marker,
  type Measurement,
  type Origin,
  type Plan,
  type Step,
  type VersionId,
  type Weights,
} from "@bascule/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { RouterConflict, type ProbeRequest } from "./ports.ts";
import { runCutover, type CutoverOutcome, type CutoverPorts } from "./run-cutover.ts";

/*
 * Draws whole histories of releases at random: what each call of the world answers, whether a write that failed was written all
 * the same, when a process dies or is frozen, whether one of its writes lands long after. However a history went, the router is
 * whole when a run says that it is, and the next healthy run settles what was left.
 *
 *   BASCULE_MODEL_RUNS   how many histories; default 2000
 *   BASCULE_MODEL_SEED   the seed that a failure prints, to see it again
 */
const numberOfRuns = Number(process.env["BASCULE_MODEL_RUNS"] ?? 2_000);
const seed = process.env["BASCULE_MODEL_SEED"] === undefined ? {} : { seed: Number(process.env["BASCULE_MODEL_SEED"]) };

const leaseMs = 20_000;

/** What one call of a process meets. */
type Fate =
  | { readonly kind: "ok" | "slow" | "failBefore" | "failAfter" | "hang" | "crashBefore" | "crashAfter" }
  /** The write is on its way when the caller gives up (or dies), and lands after so many more calls if the object did not change. */
  | { readonly kind: "hangLate" | "crashLate"; readonly landsAfter: number }
  /** The process stands still, as on a laptop that sleeps, and goes on after so many more calls of others. */
  | { readonly kind: "freeze"; readonly thawsAfter: number };

interface RunPlan {
  readonly candidate: "new" | "same" | "reverted";
  readonly isHealthy: boolean;
  readonly strategy: "direct" | "blueGreen" | "progressive";
  readonly fates: readonly Fate[];
  /** The call at which the process that asked for the cut-over is found gone. */
  readonly ownerLostAt: number | undefined;
  /** The call from which on the router object carries an abort mark. */
  readonly abortAt: number | undefined;
  /** Whether the run waits until a lease that was left has run out. */
  readonly waitsForLease: boolean;
}

interface History {
  readonly beginsWith: "nothing" | "a stable version";
  readonly runs: readonly RunPlan[];
}

const steps: Readonly<Record<RunPlan["strategy"], readonly Step[]>> = {
  direct: [
    { kind: "shift", weightPercent: 100 },
    { kind: "verify", target: "service" },
  ],
  blueGreen: [
    { kind: "verify", target: "candidate" },
    { kind: "shift", weightPercent: 100 },
    { kind: "verify", target: "service" },
    { kind: "hold", durationMs: 200 },
  ],
  progressive: [
    { kind: "verify", target: "candidate" },
    { kind: "shift", weightPercent: 30 },
    { kind: "verify", target: "service" },
    { kind: "shift", weightPercent: 100 },
    { kind: "hold", durationMs: 100 },
  ],
};

interface RouterObject {
  readonly revision: number;
  readonly weights: Weights;
  readonly marker: Marker | null;
  readonly shape: string;
}

interface ProcessModel {
  readonly transaction: string;
  readonly candidate: VersionId;
  state: "running" | "frozen" | "dead" | "ended";
  calls: number;
  writes: number;
  hasGivenUpClaim: boolean;
  hasLateClaim: boolean;
  thawAtCall: number;
  /** The weights of the last moment without a marker, as of this process's claim. */
  before: Weights | null | undefined;
  /** The router as this process's last call left or found it. */
  seen: RouterObject | undefined;
  outcome: CutoverOutcome | undefined;
  thaw: (() => void)[];
  readonly ownerLost: AbortController;
}

interface World {
  readonly clock: FakeClock;
  readonly healthy: Map<VersionId, boolean>;
  readonly processes: ProcessModel[];
  /** The versions that run: Pulumi deletes the others at the end of an update that succeeded. */
  alive: Set<VersionId>;
  router: RouterObject | undefined;
  /** The weights of the last moment without a marker; `null`: there was no router. */
  settledWeights: Weights | null;
  latestClaim: string | undefined;
  revision: number;
  calls: number;
  /** The first promise that was broken. */
  violation: unknown;
  late: { readonly atCall: number; readonly land: () => void }[];
}

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** The one way to change the router; whatever is written must keep every promise at once, not only at the end. */
function write(world: World, by: ProcessModel, next: Omit<RouterObject, "revision"> | undefined): void {
  promise(world, () => checkWrite(world, by, next));
  by.writes++;
  world.router = next && { ...next, revision: ++world.revision };
  if (next === undefined || next.marker === null) world.settledWeights = next?.weights ?? null;
}

/** The engine takes what a port throws for a failure of the world, so a broken promise is kept for the end. */
function promise(world: World, check: () => void): void {
  try {
    check();
  } catch (thrown) {
    world.violation ??= thrown;
  }
}

function checkClaim(world: World, marker: Marker): void {
  const found = world.router?.marker;
  if (!found) return;
  demand(marker.fencing > found.fencing, "a claim does not raise the fencing number");
  demand(isGone(world, found), "a router was taken from an owner who is still there");
}

function isGone(world: World, marker: Marker): boolean {
  const owner = world.processes[marker.owner.processId - 1];
  return world.clock.nowMs() > marker.leaseUntilMs || owner?.state === "dead" || owner?.state === "ended";
}

function checkWrite(world: World, by: ProcessModel, next: Omit<RouterObject, "revision"> | undefined): void {
  const before = world.router;
  demand(
    world.latestClaim === by.transaction,
    `${by.transaction} wrote although ${world.latestClaim ?? "nobody"} owns the router`,
  );
  if (next?.marker) {
    const { origin } = next.marker;
    const isKept =
      origin === null ? world.settledWeights === null : sameWeights(origin.weights, world.settledWeights ?? {});
    demand(isKept, "the marker remembers another origin than there was");
  }
  if (next === undefined) {
    demand(world.settledWeights === null, "the router was deleted although there was one before");
  } else {
    const served = Object.entries(next.weights).filter(([, weight]) => weight > 0);
    const total = served.reduce((sum, [, weight]) => sum + weight, 0);
    if (before && Object.values(before.weights).some((weight) => weight > 0)) {
      demand(Math.abs(total - 100) < 1e-9, `traffic was lost: ${JSON.stringify(next.weights)}`);
    }
    for (const [version] of served) {
      demand(world.alive.has(version), `traffic went to ${version}, which does not run`);
      const isMoved = !before || !sameWeights(before.weights, next.weights);
      demand(
        !isMoved || version === by.candidate || version in (world.settledWeights ?? {}),
        `traffic went to ${version}, which is neither origin nor candidate`,
      );
    }
  }
}

function isOurs(router: RouterObject, marker: Marker): boolean {
  return router.marker?.transaction === marker.transaction && router.marker.fencing === marker.fencing;
}

function portsOf(world: World, process: ProcessModel, plan: RunPlan): CutoverPorts {
  const clock = world.clock.view(() => process.state === "running");
  const never = () => new Promise<never>(() => undefined);
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      const give = () => reject(new Error("gave up"));
      if (signal.aborted) give();
      else signal.addEventListener("abort", give, { once: true });
    });

  /** One call: meets its fate, and applies its effect before, after, late or never. */
  async function call<Result>(signal: AbortSignal, effect: () => Result): Promise<Result> {
    if (process.state === "frozen") await new Promise<void>((resolve) => process.thaw.push(resolve));
    if (process.state === "dead") return never();
    pass(world);
    const fate: Fate = plan.fates[process.calls++] ?? { kind: "ok" };
    if (process.calls === plan.ownerLostAt) process.ownerLost.abort();
    const applyLate = (landsAfter: number) => {
      const revision = world.router?.revision;
      world.late.push({
        atCall: world.calls + landsAfter,
        land: () => {
          if (world.router?.revision === revision) tryEffect(effect);
        },
      });
    };
    const die = () => {
      process.state = "dead";
      return never();
    };
    switch (fate.kind) {
      case "ok":
        return effect();
      case "slow":
        await clock.sleep(700, signal);
        return effect();
      case "failBefore":
        throw new Error("the API server said no");
      case "failAfter":
        effect();
        throw new Error("the answer was lost");
      case "hang":
        return untilAborted(signal);
      case "hangLate":
        applyLate(fate.landsAfter);
        return untilAborted(signal);
      case "crashBefore":
        return die();
      case "crashAfter":
        effect();
        return die();
      case "crashLate":
        applyLate(fate.landsAfter);
        return die();
      case "freeze":
        process.state = "frozen";
        process.thawAtCall = world.calls + fate.thawsAfter;
        await new Promise<void>((resolve) => process.thaw.push(resolve));
        return effect();
    }
  }

  const callRouter = <Result>(signal: AbortSignal, effect: () => Result) =>
    call(signal, () => {
      const result = effect();
      process.seen = world.router;
      return result;
    });

  const measureNow = ({ probe, target, sequence }: ProbeRequest): Measurement => {
    const version = target === "candidate" ? process.candidate : whoAnswers(world.router?.weights ?? {}, sequence);
    const isHealthy = version !== undefined && world.healthy.get(version) === true && world.alive.has(version);
    return {
      probe: probe.name,
      verdict: isHealthy ? "pass" : "fail",
      startedAtMs: clock.nowMs(),
      durationMs: 1,
      message: isHealthy ? "right" : "wrong",
      ...(version === undefined ? {} : { answeredBy: version }),
    };
  };

  let last: JournalEntry | undefined;
  return {
    clock,
    router: {
      observe: (signal) =>
        callRouter(signal, () => {
          const { router } = world;
          return router
            ? { exists: true, weights: router.weights, marker: router.marker, shape: router.shape }
            : { exists: false, weights: {}, marker: null, shape: "" };
        }),
      claim: (marker, expects, signal) => {
        signal.addEventListener("abort", () => (process.hasGivenUpClaim = true), { once: true });
        return callRouter(signal, () => {
          const { router } = world;
          if (JSON.stringify(router?.marker ?? null) !== JSON.stringify(expects))
            throw new RouterConflict("the marker is not the expected one");
          const isOrigin = marker.origin ? router && sameWeights(router.weights, marker.origin.weights) : !router;
          if (!expects && !isOrigin) throw new RouterConflict("the object is not as it was observed");
          promise(world, () => checkClaim(world, marker));
          world.latestClaim = marker.transaction;
          process.hasLateClaim = process.hasGivenUpClaim;
          process.before = world.settledWeights;
          write(world, process, { weights: router?.weights ?? {}, shape: router?.shape ?? "", marker });
        });
      },
      shift: (weights, marker, signal) =>
        callRouter(signal, () => {
          if (!world.router || !isOurs(world.router, marker))
            throw new RouterConflict("the object does not carry our marker");
          write(world, process, { weights, marker, shape: `shaped by ${process.transaction}` });
        }),
      restore: (origin: Origin | null, marker, signal) =>
        callRouter(signal, () => {
          if (world.router && !isOurs(world.router, marker))
            throw new RouterConflict("the object does not carry our marker");
          if (origin) write(world, process, { ...origin, marker });
          else if (world.router) write(world, process, undefined);
        }),
      renew: (marker, signal) =>
        callRouter(signal, () => {
          if (!world.router || !isOurs(world.router, marker))
            throw new RouterConflict("the object does not carry our marker");
          write(world, process, { ...world.router, marker });
          return { abortRequested: plan.abortAt !== undefined && process.calls >= plan.abortAt };
        }),
      release: (marker, signal) =>
        callRouter(signal, () => {
          if (!world.router || !isOurs(world.router, marker))
            throw new RouterConflict("the object does not carry our marker");
          write(world, process, { ...world.router, marker: null });
        }),
    },
    prober: {
      measure: async (request, signal) => {
        // A wrong measurement of a good version, and the other way round, is what a failed call is for a prober.
        const truth = await call(signal, () => measureNow(request)).catch((thrown: unknown) => {
          if (signal.aborted) throw thrown;
          return undefined;
        });
        return (
          truth ?? {
            ...measureNow(request),
            verdict: (["fail", "error", "inconclusive"] as const)[process.calls % 3] ?? "fail",
          }
        );
      },
    },
    workload: { disconnect: (_version, signal) => call(signal, () => undefined) },
    journal: {
      append: (transaction, fact) =>
        call(new AbortController().signal, () => {
          last = nextEntry(last, transaction, fact, clock.nowMs());
          return last;
        }),
    },
    ownership: {
      isGone: (marker) => isGone(world, marker),
    },
  };
}

/** Another call of anybody: late writes land and frozen processes go on. */
function pass(world: World): void {
  world.calls++;
  for (const write of world.late.filter(({ atCall }) => atCall <= world.calls)) land(world, write);
  for (const process of world.processes.filter(({ thawAtCall }) => thawAtCall <= world.calls)) thaw(world, process);
}

function land(world: World, write: World["late"][number]): void {
  world.late.splice(world.late.indexOf(write), 1);
  write.land();
}

function tryEffect(effect: () => unknown): void {
  try {
    effect();
  } catch (thrown) {
    // A conflict that nobody is there to hear of.
    if (!(thrown instanceof RouterConflict)) throw thrown;
  }
}

function thaw(world: World, process: ProcessModel): void {
  if (process.state !== "frozen") return;
  process.state = "running";
  // Pulumi lets a second update begin only when the first one's lock was taken away, and its process with it. A run that had not
  // claimed the router yet learns so here; one that had claimed it has to be stopped by its fencing number alone.
  if (process.before === undefined && process !== world.processes.at(-1)) process.ownerLost.abort();
  for (const resume of process.thaw.splice(0)) resume();
}

/** Requests are dealt out by weight, the candidate's share of ten first. */
function whoAnswers(weights: Weights, sequence: number): VersionId | undefined {
  const served = Object.entries(weights).filter(([, weight]) => weight > 0);
  const point = (sequence * 37) % 100;
  let sum = 0;
  return served.find(([, weight]) => (sum += weight) > point)?.[0];
}

function planOf(strategy: RunPlan["strategy"]): Plan {
  return {
    strategy: strategy === "direct" ? "direct" : "blueGreen",
    steps: [...steps[strategy]],
    deadlineMs: 120_000,
    propagationLimitMs: 1_000,
  };
}

/** Starts a process that runs one cut-over, and lets time pass until it has ended, died or stands still. */
async function run(world: World, plan: RunPlan, candidate: VersionId): Promise<ProcessModel> {
  const processId = world.processes.length + 1;
  const process: ProcessModel = {
    transaction: `transaction-${processId}`,
    candidate,
    state: "running",
    calls: 0,
    writes: 0,
    hasGivenUpClaim: false,
    hasLateClaim: false,
    thawAtCall: Number.POSITIVE_INFINITY,
    before: undefined,
    seen: world.router,
    outcome: undefined,
    thaw: [],
    ownerLost: new AbortController(),
  };
  world.processes.push(process);
  void runCutover(
    {
      transaction: {
        id: process.transaction,
        candidate,
        plan: planOf(plan.strategy),
        leaseMs,
        owner: { host: "here", processId, processStart: String(processId) },
      },
      probes: [{ kind: "tcp", name: "probe", count: 2 }],
      change: {},
      ownerLost: process.ownerLost.signal,
    },
    portsOf(world, process, plan),
  ).then(
    (outcome) => {
      process.outcome = outcome;
      process.state = "ended";
      try {
        checkOutcome(world, process, outcome);
      } catch (thrown) {
        world.violation ??= thrown;
      }
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

function demandNoViolation({ violation }: World): void {
  if (violation !== undefined) throw new Error(messageOf(violation), { cause: violation });
}

function isServing(router: RouterObject | undefined, weights: Weights): boolean {
  return router?.marker === null && sameWeights(router.weights, weights);
}

/** What a run says must be so. */
function checkOutcome(world: World, process: ProcessModel, outcome: CutoverOutcome): void {
  const { seen, before, candidate } = process;
  const isWholeAsBefore = before === undefined || (before === null ? !seen : isServing(seen, before));
  const isWholeWithCandidate = isServing(seen, { [candidate]: 100 });
  // A claim that lands after it was given up for lost leaves a marker, which the next run settles; traffic is where it was.
  const isClaimedLate = sameWeights(seen?.weights ?? {}, before ?? {}) && process.hasLateClaim;
  const isOvertaken = world.latestClaim !== process.transaction;
  const found = JSON.stringify({ seen, before });
  switch (outcome.phase) {
    case "committed":
      demand(isWholeWithCandidate, `committed, but the router is ${found}`);
      demand(world.healthy.get(candidate) === true, "a broken version was committed");
      return;
    case "rolledBack":
      demand(
        process.writes === 0 || isOvertaken || isWholeAsBefore || isClaimedLate,
        `rolled back, but the router is ${found}`,
      );
      return;
    case "refused":
      demand(
        process.writes === 0 || isOvertaken || isClaimedLate || (before === null && isWholeAsBefore),
        `refused, but the router is ${found}`,
      );
      return;
    case "unsettled":
      demand(
        isOvertaken || world.router?.marker != null || isWholeAsBefore || isWholeWithCandidate,
        `unsettled and without a marker: ${found}`,
      );
      return;
  }
}

const calm: Omit<RunPlan, "candidate" | "isHealthy"> = {
  strategy: "blueGreen",
  fates: [],
  ownerLostAt: undefined,
  abortAt: undefined,
  waitsForLease: true,
};

/** Plays a history, then heals the world and asks for what is right at the end. Gives what happened, for the statistics. */
async function play(history: History): Promise<string[]> {
  const clock = createFakeClock();
  const isNew = history.beginsWith === "nothing";
  const world: World = {
    clock,
    healthy: new Map([["v0", true]]),
    processes: [],
    alive: new Set(isNew ? [] : ["v0"]),
    router: isNew ? undefined : { revision: 0, weights: { v0: 100 }, marker: null, shape: "original" },
    settledWeights: isNew ? null : { v0: 100 },
    latestClaim: undefined,
    revision: 0,
    calls: 0,
    violation: undefined,
    late: [],
  };
  /** What the Pulumi state names as the version in service. */
  let stable: VersionId | undefined = isNew ? undefined : "v0";
  let latest: VersionId | undefined = stable;
  let versions = 0;
  const events: string[] = [];

  const release = async (plan: RunPlan): Promise<ProcessModel> => {
    const known = plan.candidate === "same" ? latest : plan.candidate === "reverted" ? stable : undefined;
    const candidate = known ?? `v${++versions}`;
    if (known === undefined) world.healthy.set(candidate, plan.isHealthy);
    latest = candidate;
    world.alive.add(candidate);
    if (plan.waitsForLease) clock.skip(leaseMs + 1);
    const process = await run(world, plan, candidate);
    if (
      process.outcome?.phase === "committed" &&
      !(plan.ownerLostAt !== undefined && process.calls >= plan.ownerLostAt)
    ) {
      stable = candidate;
      world.alive = new Set([candidate]);
    }
    events.push(process.outcome?.phase ?? process.state);
    return process;
  };

  for (const plan of history.runs) await release(plan);

  // Everything that was still on its way arrives, in the worst order: after the runs.
  while (world.late.length > 0 || world.processes.some(({ state }) => state === "frozen")) {
    if (world.late[0]) land(world, world.late[0]);
    for (const process of world.processes) thaw(world, process);
    await clock.passUntil(() => world.processes.every(({ state }) => state !== "running"));
  }
  demandNoViolation(world);

  const settled = world.settledWeights;
  const bad = await release({ ...calm, candidate: "new", isHealthy: false });
  demand(bad.outcome?.phase === "rolledBack", `a broken version ended ${JSON.stringify(bad.outcome ?? bad.state)}`);
  demand(!world.router?.marker, "a marker was left");
  demand(
    settled === null ? !world.router : sameWeights(world.router?.weights ?? {}, settled),
    "a broken version changed the traffic",
  );

  const good = await release({ ...calm, candidate: "new", isHealthy: true });
  demand(good.outcome?.phase === "committed", `a healthy version ended ${JSON.stringify(good.outcome ?? good.state)}`);
  demand(isServing(world.router, { [good.candidate]: 100 }), "the healthy version does not serve");
  return events.slice(0, -2);
}

const late = fc.nat({ max: 60 });
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 60, arbitrary: fc.constant<Fate>({ kind: "ok" }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Fate>({ kind: "slow" }, { kind: "failBefore" }, { kind: "failAfter" }, { kind: "hang" }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Fate>({ kind: "crashBefore" }, { kind: "crashAfter" }) },
  { weight: 1, arbitrary: late.map((landsAfter): Fate => ({ kind: "crashLate", landsAfter })) },
  { weight: 1, arbitrary: late.map((landsAfter): Fate => ({ kind: "hangLate", landsAfter })) },
  { weight: 1, arbitrary: late.map((thawsAfter): Fate => ({ kind: "freeze", thawsAfter })) },
);
const seldom = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 6 });
const history: fc.Arbitrary<History> = fc.record({
  beginsWith: fc.constantFrom("nothing", "a stable version", "a stable version"),
  runs: fc.array(
    fc.record({
      candidate: fc.constantFrom("new", "same", "reverted"),
      isHealthy: fc.boolean(),
      strategy: fc.constantFrom("direct", "blueGreen", "progressive"),
      fates: fc.array(fate, { maxLength: 60, size: "max" }),
      ownerLostAt: seldom,
      abortAt: seldom,
      waitsForLease: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

it(
  `leaves the candidate everywhere or the origin everywhere, in ${numberOfRuns} random histories`,
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
    for (const end of ["committed", "rolledBack", "refused", "unsettled", "dead", "frozen"])
      expect(seen.get(end), end).toBeGreaterThan(numberOfRuns / 200);
  },
);
