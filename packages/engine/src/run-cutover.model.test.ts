import {
  messageOf,
  nextEntry,
  pause,
  planOf,
  runHook,
  sameWeights,
  type JournalEntry,
  type Marker,
  type Measurement,
  type Origin,
  type Plan,
  type PlanOptions,
  type Rest,
  type RouterMemory,
  type Step,
  type Strategy,
  type Traffic,
  type VersionId,
  type Weights,
} from "@bascule/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { RouterConflict, type ProbeRequest } from "./ports.ts";
import { runCutover, type CutoverOutcome, type CutoverPorts } from "./run-cutover.ts";

/*
 * Draws whole histories of updates at random: plans with every kind of step, commits that approve a pause, give it up, bring another
 * version or change the plan; what each call of the world answers, whether a write that failed was written all the same, when a
 * process dies or is frozen, whether one of its writes lands long after. However a history went, no promise is broken on the way:
 *
 * - Traffic is never lost, never goes to a version that does not run, and never to one that is neither origin nor candidate.
 * - The candidate never has more than the step that was begun allows, and its weights are those of the plan, in their order. What is
 *   broken never gets more than the first weight, and is never promoted. A pause that nobody approved is never passed.
 * - When an update ends well, weights, rules and copies are exactly the plan's at its end or at its pause, and only versions that the
 *   program declares have any traffic. When it went back, they are as they were found, or as they were before the pause.
 * - Hooks are written down before they run, and taken back exactly if they began, in reverse order. Nobody is left read-only.
 * - A router is never taken from an owner who is still there, and who lost it writes nothing any more.
 * - The next healthy run settles whatever was left.
 *
 *   BASCULE_MODEL_RUNS   how many histories; default 10000
 *   BASCULE_MODEL_SEED   the seed that a failure prints, to see it again
 *   BASCULE_MODEL_PATH   the path that it prints beside the seed, to see the smallest history at once
 */
const numberOfRuns = Number(process.env["BASCULE_MODEL_RUNS"] ?? 10_000);
const { BASCULE_MODEL_SEED: seed, BASCULE_MODEL_PATH: path } = process.env;

const leaseMs = 20_000;

/** What one call of a process meets. */
type Fate =
  | { readonly kind: "ok" | "slow" | "failBefore" | "failAfter" | "hang" | "crashBefore" | "crashAfter" }
  /** The write is on its way when the caller gives up (or dies), and lands after so many more calls if the object did not change. */
  | { readonly kind: "hangLate" | "crashLate"; readonly landsAfter: number }
  /** The process stands still, as on a laptop that sleeps, and goes on after so many more calls of others. */
  | { readonly kind: "freeze"; readonly thawsAfter: number };

/** `inService`: well as long as it has no traffic. */
type Health = "good" | "broken" | "inService";

interface Update {
  /** What the commit says while nothing rests at a pause, and what it says otherwise. */
  readonly change: "new" | "same" | "reverted" | "edited";
  readonly changeOfRest: "approve" | "approveAll" | "giveUp" | Update["change"];
  readonly health: Health;
  readonly strategy: Strategy;
  readonly options: PlanOptions;
  /** How many of the plan's pauses are approved from the start. */
  readonly approvals: number;
  readonly declaresStable: boolean;
  /** Nobody answers for the version in service while the update runs. */
  readonly isStableDown: boolean;
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
  readonly updates: readonly Update[];
}

/** What a commit declares. */
interface Program {
  readonly candidate: VersionId;
  readonly stable: VersionId | undefined;
  readonly strategy: Strategy;
  readonly options: PlanOptions;
  readonly plan: Plan;
}

interface RouterObject {
  readonly revision: number;
  readonly traffic: Traffic;
  readonly marker: Marker | null;
  readonly memory: RouterMemory;
  readonly shape: string;
}

/** How the router was at the last moment without a marker. */
interface Settled {
  /** `null`: there was no router. */
  readonly traffic: Traffic | null;
  readonly memory: RouterMemory;
}

interface ProcessModel {
  readonly transaction: string;
  readonly program: Program;
  state: "running" | "frozen" | "dead" | "ended";
  calls: number;
  writes: number;
  hasGivenUpClaim: boolean;
  hasLateClaim: boolean;
  hasStoodStill: boolean;
  thawAtCall: number;
  /** The last moment without a marker, as of this process's claim. */
  found: Settled | undefined;
  /** Until when its lease was written at the most. */
  leaseUntilMs: number;
  /** Whether it goes on from a pause. */
  goesOn: boolean;
  /** Which of its shares the candidate was given last; below 0: none. */
  place: number;
  /** The router as this process's last call left or found it. */
  seen: RouterObject | undefined;
  outcome: CutoverOutcome | undefined;
  thaw: (() => void)[];
  readonly ownerLost: AbortController;
}

interface World {
  readonly clock: FakeClock;
  readonly health: Map<VersionId, Health>;
  readonly sizes: Map<VersionId, string>;
  readonly processes: ProcessModel[];
  /** The versions that run: Pulumi deletes what the program does not declare at the end of an update that succeeded. */
  alive: Set<VersionId>;
  /** Versions that run and do not answer just now. */
  down: Set<VersionId>;
  router: RouterObject | undefined;
  settled: Settled;
  latestClaim: string | undefined;
  /** The plan of the update that ended at a pause last. */
  restedPlan: Plan | undefined;
  /** The undo hooks of all hooks that were begun and not taken back, the first one first. */
  begun: string[];
  lastUndone: string | undefined;
  /** The undo hooks that were written down since the last moment without a marker. */
  readonly written: Set<string>;
  /** Whose data nobody can write to. */
  readOnly: readonly VersionId[];
  revision: number;
  calls: number;
  /** What happens just now comes later than it was asked for. */
  isBelated: boolean;
  /** The first promise that was broken. */
  violation: unknown;
  late: { readonly atCall: number; readonly land: () => void }[];
  readonly events: string[];
}

const stopWrites = "stop-writes";
const undoOf = (hook: string) => `undo-${hook}`;
const nothing: Settled = { traffic: null, memory: { history: [] } };

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

function isServing(weights: Weights): boolean {
  return Object.values(weights).some((weight) => weight > 0);
}

function rulesOf({ weights: _weights, ...rules }: Traffic): string {
  return JSON.stringify(rules);
}

function sameTraffic(left: Traffic, right: Traffic): boolean {
  return sameWeights(left.weights, right.weights) && rulesOf(left) === rulesOf(right);
}

/** Where a rollback goes from here: before the pause, where traffic rests at one. */
function originOf({ traffic, memory }: Settled): Weights | null {
  return traffic && (memory.rest?.origin ?? traffic.weights);
}

function openPauseOf({ steps }: Plan): number {
  const index = steps.findIndex((step) => step.kind === "pause" && !step.isApproved);
  return index < 0 ? steps.length : index;
}

/** The traffic that a plan means at a step, told once more. */
function trafficAt(plan: Plan, origin: Weights, candidate: VersionId, end: number): Traffic {
  let [share, matches, mirrorPercent]: [number | undefined, Traffic["matches"], number] = [undefined, undefined, 0];
  for (const step of plan.steps.slice(0, end)) {
    if (step.kind === "shift") share = step.weightPercent;
    if (step.kind === "route") matches = step.matches.length > 0 ? step.matches : undefined;
    if (step.kind === "mirror") mirrorPercent = step.percent;
  }
  if (share === 100) return { weights: { [candidate]: 100 } };
  const others = Object.entries(origin).filter(([version]) => share === undefined || version !== candidate);
  const total = others.reduce((sum, [, weight]) => sum + weight, 0);
  const left = others.map(([version, weight]) => [version, (weight / total) * (100 - (share ?? 0))] as const);
  const weights = Object.fromEntries(share ? [[candidate, share], ...left] : left);
  return {
    weights,
    ...(matches ? { matches } : {}),
    ...(mirrorPercent > 0 ? { mirrorPercent } : {}),
    ...(plan.affinity && Object.keys(weights).length > 1 ? { affinity: plan.affinity } : {}),
  };
}

/** Whether everything may move at once, whatever the steps: nobody to split, nobody answers, or a version that was in service. */
function movesAtOnce({ program: { candidate, plan }, found, goesOn }: ProcessModel, isDead: boolean): boolean {
  if (goesOn) return false;
  const origin = (found && originOf(found)) ?? {};
  const history = found?.memory.history ?? [];
  const back = history.indexOf(candidate);
  const isAlone = Object.keys(origin).every((version) => version === candidate);
  const isFormer = back === 0 || (back > 0 && back <= (plan.fastTrackChanges ?? 0));
  return isAlone || isFormer || (isDead && openPauseOf(plan) === plan.steps.length);
}

/** The shares that some steps give the candidate, in their order. */
function sharesOf(steps: readonly Step[]): readonly number[] {
  return steps.flatMap((step) => (step.kind === "shift" && step.weightPercent > 0 ? [step.weightPercent] : []));
}

/** The pause that this program goes on from, as long as it does not change what led there; below 0: none. */
function restingPlace({ candidate, plan }: Program, rest: Rest | undefined, rested: Plan | undefined): number {
  const index = pauseOf(plan, rest?.pause);
  if (rest?.candidate !== candidate || index < 0 || !rested) return -1;
  return takenText(plan, index) === takenText(rested, pauseOf(rested, rest.pause)) ? index : -1;
}

function pauseOf({ steps }: Plan, name: string | undefined): number {
  return steps.findIndex((step) => step.kind === "pause" && step.name === name);
}

function takenText({ steps, affinity }: Plan, index: number): string {
  return JSON.stringify([steps.slice(0, index).map((step) => ({ ...step, isApproved: true })), affinity]);
}

/** The one way to change the router; whatever is written must keep every promise at once, not only at the end. */
function write(world: World, by: ProcessModel, next: Omit<RouterObject, "revision"> | undefined): void {
  promise(world, () => {
    checkWrite(world, by, next);
    for (const undo of next?.marker?.undo ?? []) world.written.add(undo);
    if (next?.marker) by.leaseUntilMs = Math.max(by.leaseUntilMs, next.marker.leaseUntilMs);
    if (!next?.marker) checkSettled(world, by, next);
  });
  by.writes++;
  world.router = next && { ...next, revision: ++world.revision };
  if (next?.marker) return;
  world.settled = next ? { traffic: next.traffic, memory: next.memory } : nothing;
  world.written.clear();
}

function checkClaim(world: World, marker: Marker): void {
  const found = world.router?.marker;
  if (!found) return;
  demand(marker.fencing > found.fencing, "a claim does not raise the fencing number");
  const owner = world.processes[found.owner.processId - 1];
  const isGone =
    owner?.state === "dead" || owner?.state === "ended" || world.clock.nowMs() > (owner?.leaseUntilMs ?? 0);
  demand(isGone, "a router was taken from an owner who is still there");
}

function checkWrite(world: World, by: ProcessModel, next: Omit<RouterObject, "revision"> | undefined): void {
  const before = world.router;
  demand(
    world.latestClaim === by.transaction,
    `${by.transaction} wrote although ${world.latestClaim ?? "nobody"} owns the router`,
  );
  const settledOrigin = originOf(world.settled);
  if (next === undefined) {
    demand(settledOrigin === null, "the router was deleted although there was one before");
    return;
  }
  if (next.marker) {
    const { origin, leaseUntilMs } = next.marker;
    const isBelated = world.isBelated || by.hasStoodStill;
    demand(isBelated || leaseUntilMs > world.clock.nowMs(), "a lease was written that is over already");
    const isKept = origin === null ? settledOrigin === null : sameWeights(origin.weights, settledOrigin ?? {});
    demand(isKept, "the marker remembers another origin than there was");
  }
  const { weights } = next.traffic;
  const served = Object.keys(weights).filter((version) => (weights[version] ?? 0) > 0);
  if (before && isServing(before.traffic.weights)) {
    const total = served.reduce((sum, version) => sum + (weights[version] ?? 0), 0);
    demand(Math.abs(total - 100) < 1e-9, `traffic was lost: ${JSON.stringify(weights)}`);
  }
  for (const version of served) demand(world.alive.has(version), `traffic went to ${version}, which does not run`);
  if (before && sameWeights(before.traffic.weights, weights)) return;
  const { candidate } = by.program;
  for (const version of served) {
    const isExpected = version === candidate || version in (settledOrigin ?? {});
    demand(isExpected, `traffic went to ${version}, which is neither origin nor candidate`);
  }
  if (!sameWeights(weights, settledOrigin ?? {})) checkWeight(world, by, weights[candidate] ?? 0, next.marker);
}

/** Whether the plan gives the candidate this much now. */
function checkWeight(world: World, by: ProcessModel, weight: number, marker: Marker | null): void {
  const { candidate, plan } = by.program;
  const planned = sharesOf(plan.steps.slice(0, openPauseOf(plan)));
  const health = world.health.get(candidate);
  const isProvedFirst = plan.steps.some((step) => step.kind === "verify" && step.target === "candidate");
  demand(health !== "broken" || !isProvedFirst, `${candidate} is broken and got ${weight} %`);
  if (weight === 100 && plan.steps.some(({ kind }) => kind === "scale")) {
    demand(
      world.sizes.get(candidate) === "full",
      `${candidate} got everything at ${world.sizes.get(candidate) ?? "no"} size`,
    );
  }
  if (movesAtOnce(by, marker?.origin?.served === false)) {
    demand(weight === 100, `${candidate} should get everything at once, and got ${weight} %`);
    return;
  }
  const place = planned.indexOf(weight, Math.max(0, by.place));
  demand(
    place >= 0 && place <= by.place + 1,
    `${candidate} got ${weight} %, after weight ${by.place} of ${planned.join(", ")}`,
  );
  demand(health === "good" || place === 0, `${candidate} fails in service and got ${weight} %, its weight ${place}`);
  by.place = place;
}

/** What is so at a moment without a marker. */
function checkSettled(world: World, by: ProcessModel, next: Omit<RouterObject, "revision"> | undefined): void {
  const { candidate } = by.program;
  const rest = next?.memory.rest;
  const weights = next?.traffic.weights ?? {};
  const wasInService = ((by.found && originOf(by.found))?.[candidate] ?? 0) > 0;
  const isPromoted =
    !rest && !wasInService && next?.memory.history[0] === candidate && sameWeights(weights, { [candidate]: 100 });
  if (isPromoted) {
    world.begun = [];
    world.readOnly = [];
    world.lastUndone = undefined;
  }
  if (rest && next.memory !== by.found?.memory) world.restedPlan = by.program.plan;
  const left = (rest?.undo ?? []).toReversed();
  demand(
    JSON.stringify(world.begun) === JSON.stringify(left),
    `hooks ${world.begun.join(", ") || "none"} are left, and ${left.join(", ") || "none"} remembered`,
  );
  demand(rest !== undefined || next === undefined || rulesOf(next.traffic) === "{}", "rules are left");
  const isReadOnly = world.readOnly.some((version) => (weights[version] ?? 0) > 0);
  demand(!isReadOnly, "people are left who cannot write");
}

function isOurs(router: RouterObject, marker: Marker): boolean {
  return router.marker?.transaction === marker.transaction && router.marker.fencing === marker.fencing;
}

function portsOf(
  world: World,
  process: ProcessModel,
  update: Pick<Update, "fates" | "ownerLostAt" | "abortAt">,
): CutoverPorts {
  const clock = world.clock.view(() => process.state === "running");
  const { candidate } = process.program;
  const never = () => new Promise<never>(() => undefined);
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      const give = () => reject(new Error("gave up"));
      if (signal.aborted) give();
      else signal.addEventListener("abort", give, { once: true });
    });

  /** One call: meets its fate, and applies its effect before, after, late or never. */
  async function call<Result>(signal: AbortSignal, effect: () => Result, isFenced = true): Promise<Result> {
    if (process.state === "frozen") await new Promise<void>((resolve) => process.thaw.push(resolve));
    if (process.state === "dead") return never();
    pass(world);
    const fate: Fate = update.fates[process.calls++] ?? { kind: "ok" };
    if (process.calls === update.ownerLostAt) process.ownerLost.abort();
    const applyLate = (landsAfter: number) => {
      const revision = world.router?.revision;
      world.late.push({
        atCall: world.calls + landsAfter,
        land: () => {
          if (world.router?.revision === revision) belated(effect);
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
        if (isFenced) applyLate(fate.landsAfter);
        return untilAborted(signal);
      case "crashBefore":
        return die();
      case "crashAfter":
        effect();
        return die();
      case "crashLate":
        if (isFenced) applyLate(fate.landsAfter);
        return die();
      case "freeze":
        if (!isFenced) return effect();
        process.state = "frozen";
        process.hasStoodStill = true;
        process.thawAtCall = world.calls + fate.thawsAfter;
        await new Promise<void>((resolve) => process.thaw.push(resolve));
        return effect();
    }
  }

  function belated<Result>(effect: () => Result): Result {
    world.isBelated = true;
    try {
      return effect();
    } finally {
      world.isBelated = false;
    }
  }

  const callRouter = <Result>(signal: AbortSignal, effect: () => Result) =>
    call(signal, () => {
      const result = effect();
      process.seen = world.router;
      return result;
    });

  /** The object, which must carry our marker. */
  const ours = (marker: Marker): RouterObject => {
    if (!world.router || !isOurs(world.router, marker)) {
      throw new RouterConflict("the object does not carry our marker");
    }
    return world.router;
  };

  const measureNow = ({ probe, target, expected, sequence }: ProbeRequest): Measurement => {
    const version = whoAnswers(target, expected, sequence);
    const health = version === undefined ? "broken" : (world.health.get(version) ?? "broken");
    const isWell = health === "good" || (health === "inService" && (target === "candidate" || target === "baseline"));
    const answers = version !== undefined && world.alive.has(version) && !world.down.has(version);
    return {
      probe: probe.name,
      verdict: answers && isWell ? "pass" : "fail",
      startedAtMs: clock.nowMs(),
      durationMs: 1,
      message: answers && isWell ? "right" : "wrong",
      ...(answers ? { answeredBy: version } : {}),
    };
  };

  /** Requests to the service are dealt out by weight, the candidate's share of ten first. */
  const whoAnswers = (target: ProbeRequest["target"], expected: Weights, sequence: number): VersionId | undefined => {
    if (target === "candidate") return candidate;
    if (target === "baseline") return Object.keys(expected)[0];
    const served = Object.entries(world.router?.traffic.weights ?? {}).filter(([, weight]) => weight > 0);
    const point = (sequence * 37) % 100;
    let sum = 0;
    return served.find(([, weight]) => (sum += weight) > point)?.[0];
  };

  const isUndo = (name: string) => name.startsWith("undo-");
  const beginHook = (name: string): void => {
    if (isUndo(name) || !hasUndo(process.program.plan, name)) return;
    promise(world, () => {
      demand(world.router?.marker?.undo?.[0] === undoOf(name), `${name} ran before it was written down`);
    });
    world.begun.push(undoOf(name));
  };
  const runHookNow = (name: string): void => {
    promise(world, () => {
      demand(world.latestClaim === process.transaction, `${process.transaction} ran ${name} and has lost the router`);
      if (!isUndo(name)) return;
      const isNext = world.begun.at(-1) === name;
      if (isNext) world.lastUndone = world.begun.pop();
      // What was written down and then interrupted may run without having begun, or once more.
      const isOver = !world.begun.includes(name) && (world.written.has(name) || world.lastUndone === name);
      demand(isNext || isOver, `${name} ran, and ${world.begun.join(", ") || "nothing"} is left`);
    });
    if (name === stopWrites) world.readOnly = Object.keys(world.router?.marker?.origin?.weights ?? {});
    if (name === undoOf(stopWrites)) world.readOnly = [];
  };

  let last: JournalEntry | undefined;
  return {
    clock,
    router: {
      observe: (signal) =>
        callRouter(signal, () => {
          const { router } = world;
          if (!router) return { exists: false, weights: {}, marker: null, shape: "" };
          const { traffic, marker, memory, shape } = router;
          const served = Object.keys(traffic.weights).some(
            (version) => world.alive.has(version) && !world.down.has(version),
          );
          return { exists: true, weights: traffic.weights, marker, memory, shape, served };
        }),
      claim: (marker, expects, signal) => {
        signal.addEventListener("abort", () => (process.hasGivenUpClaim = true), { once: true });
        return callRouter(signal, () => {
          const { router } = world;
          if (JSON.stringify(router?.marker ?? null) !== JSON.stringify(expects.marker))
            throw new RouterConflict("the marker is not the expected one");
          const isExpected = router
            ? expects.weights !== null &&
              sameWeights(router.traffic.weights, expects.weights) &&
              JSON.stringify(router.memory.rest) === JSON.stringify(expects.rest)
            : expects.weights === null;
          if (!expects.marker && !isExpected) throw new RouterConflict("the object is not as it was observed");
          promise(world, () => checkClaim(world, marker));
          world.latestClaim = marker.transaction;
          process.hasLateClaim = process.hasGivenUpClaim;
          process.found = world.settled;
          const { rest } = world.settled.memory;
          const pause = expects.marker ? -1 : restingPlace(process.program, rest, world.restedPlan);
          process.goesOn = pause >= 0;
          process.place = sharesOf(process.program.plan.steps.slice(0, Math.max(0, pause))).length - 1;
          const made = { traffic: { weights: {} }, shape: "{}", memory: { history: [] } };
          write(world, process, { ...made, ...router, marker });
        });
      },
      shift: (traffic, marker, signal) =>
        callRouter(signal, () => {
          const { memory } = ours(marker);
          write(world, process, { traffic, marker, memory, shape: rulesOf(traffic) });
        }),
      restore: (origin: Origin | null, marker, signal) =>
        callRouter(signal, () => {
          const { memory } = world.router ? ours(marker) : { memory: { history: [] } };
          if (origin) {
            const { weights, shape, leavesRest } = origin;
            const rules = (leavesRest ? {} : JSON.parse(shape)) as Partial<Traffic>;
            const kept = leavesRest ? { history: memory.history } : memory;
            const traffic = { ...rules, weights };
            write(world, process, { traffic, marker, memory: kept, shape: rulesOf(traffic) });
          } else if (world.router) write(world, process, undefined);
        }),
      renew: (marker, signal) =>
        callRouter(signal, () => {
          const router = ours(marker);
          const isLater = router.marker !== null && router.marker.step > marker.step;
          const renewed = isLater ? { ...router.marker, leaseUntilMs: marker.leaseUntilMs } : marker;
          write(world, process, { ...router, marker: renewed });
          return { abortRequested: update.abortAt !== undefined && process.calls >= update.abortAt };
        }),
      release: (marker, memory, signal) =>
        callRouter(signal, () => {
          const router = ours(marker);
          write(world, process, { ...router, memory: memory ?? router.memory, marker: null });
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
    workload: {
      disconnect: (_version, signal) => call(signal, () => undefined),
      scale: (version, size, signal) =>
        call(
          signal,
          () => void world.sizes.set(version, "percent" in size && size.percent === 100 ? "full" : "another"),
          false,
        ),
    },
    // Sizes and hooks know nothing of fencing, so nobody can stop one that was begun by a process which has lost the router since.
    hooks: {
      run: (name, signal) => {
        if (process.state === "running") beginHook(name);
        return call(signal, () => runHookNow(name), false);
      },
    },
    journal: {
      append: (transaction, fact) =>
        call(new AbortController().signal, () => {
          last = nextEntry(last, transaction, fact, clock.nowMs());
          if (fact.kind === "pauseGivenUp" || fact.kind === "hookRan") world.events.push(fact.kind);
          if (fact.kind === "planAdapted") world.events.push(fact.note.startsWith("goes on") ? "wentOn" : "adapted");
          return last;
        }),
    },
    ownership: {
      isGone: ({ owner, leaseUntilMs }) => {
        const state = world.processes[owner.processId - 1]?.state;
        return world.clock.nowMs() > leaseUntilMs || state === "dead" || state === "ended";
      },
    },
  };
}

function hasUndo({ steps }: Plan, hook: string): boolean {
  return steps.some((step) => step.kind === "hook" && step.name === hook && step.undo !== undefined);
}

/** Another call of anybody: late writes land and frozen processes go on. */
function pass(world: World): void {
  world.calls++;
  for (const write of world.late.filter(({ atCall }) => atCall <= world.calls)) land(world, write);
  for (const process of world.processes.filter(({ thawAtCall }) => thawAtCall <= world.calls)) thaw(world, process);
}

function land(world: World, write: World["late"][number]): void {
  world.late.splice(world.late.indexOf(write), 1);
  try {
    write.land();
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
  if (process.found === undefined && process !== world.processes.at(-1)) process.ownerLost.abort();
  for (const resume of process.thaw.splice(0)) resume();
}

/** Starts a process that runs one cut-over, and lets time pass until it has ended, died or stands still. */
async function run(
  world: World,
  program: Program,
  update: Pick<Update, "fates" | "ownerLostAt" | "abortAt">,
): Promise<ProcessModel> {
  const processId = world.processes.length + 1;
  const process: ProcessModel = {
    transaction: `transaction-${processId}`,
    program,
    state: "running",
    calls: 0,
    writes: 0,
    hasGivenUpClaim: false,
    hasLateClaim: false,
    hasStoodStill: false,
    thawAtCall: Number.POSITIVE_INFINITY,
    found: undefined,
    leaseUntilMs: 0,
    goesOn: false,
    place: -1,
    seen: world.router,
    outcome: undefined,
    thaw: [],
    ownerLost: new AbortController(),
  };
  world.processes.push(process);
  const { candidate, stable, plan } = program;
  void runCutover(
    {
      transaction: {
        id: process.transaction,
        candidate,
        ...(stable === undefined ? {} : { stable }),
        plan,
        leaseMs,
        owner: { host: "here", processId, processStart: String(processId) },
      },
      probes: [
        {
          kind: "http",
          name: "probe",
          path: "/",
          expect: {},
          count: 2,
          compare: { minimumSamples: 0, mustHaveData: true },
        },
      ],
      change: {},
      ownerLost: process.ownerLost.signal,
    },
    portsOf(world, process, update),
  ).then(
    (outcome) => {
      process.outcome = outcome;
      process.state = "ended";
      promise(world, () => checkOutcome(world, process, outcome));
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

/** What a run says must be so. */
function checkOutcome(world: World, process: ProcessModel, outcome: CutoverOutcome): void {
  const { seen, found, program } = process;
  const { candidate, stable, plan } = program;
  const isOvertaken = world.latestClaim !== process.transaction;
  const isAsFound =
    found === undefined ||
    (found.traffic === null
      ? !seen
      : seen?.marker === null &&
        sameTraffic(seen.traffic, found.traffic) &&
        JSON.stringify(seen.memory) === JSON.stringify(found.memory));
  const isAsOrigin =
    seen?.marker === null &&
    sameTraffic(seen.traffic, { weights: (found && originOf(found)) ?? {} }) &&
    seen.memory.rest === undefined;
  // A claim that lands after it was given up for lost leaves a marker, which the next run settles; traffic is where it was.
  const isClaimedLate = process.hasLateClaim && sameWeights(seen?.traffic.weights ?? {}, found?.traffic?.weights ?? {});
  const about = JSON.stringify({ seen, found, outcome });
  switch (outcome.phase) {
    case "committed": {
      const { rest } = outcome.memory;
      const origin = (found && originOf(found)) ?? {};
      const planned = rest ? trafficAt(plan, origin, candidate, openPauseOf(plan)) : { weights: { [candidate]: 100 } };
      demand(seen?.marker === null && sameTraffic(seen.traffic, planned), `committed, but not as planned: ${about}`);
      demand(sameWeights(outcome.weights, planned.weights), `committed, and said something else: ${about}`);
      demand(JSON.stringify(seen.memory) === JSON.stringify(outcome.memory), `it is remembered otherwise: ${about}`);
      const isDeclared = Object.keys(planned.weights).every((version) => version === candidate || version === stable);
      demand(isDeclared, `a version that nobody declares has traffic: ${about}`);
      const health = world.health.get(candidate);
      const hasTraffic = (planned.weights[candidate] ?? 0) > 0;
      demand(health === "good" || (health === "inService" && !hasTraffic), `what is broken was committed: ${about}`);
      if (rest) return;
      const isPassed = openPauseOf(plan) === plan.steps.length;
      demand(isPassed || movesAtOnce(process, false), `a pause that nobody approved was passed: ${about}`);
      return;
    }
    case "rolledBack":
      demand(
        process.writes === 0 || isOvertaken || isAsFound || isAsOrigin || isClaimedLate,
        `rolled back, but the router is otherwise: ${about}`,
      );
      if (process.writes === 0 || isOvertaken || isClaimedLate) return;
      demand(
        sameWeights(outcome.weights ?? {}, seen?.traffic.weights ?? {}),
        `rolled back, and said otherwise: ${about}`,
      );
      demand(outcome.restingAt === seen?.memory.rest?.pause, `rolled back, and the pause is otherwise: ${about}`);
      return;
    case "refused":
      demand(
        process.writes === 0 || isOvertaken || isClaimedLate || (found?.traffic === null && isAsFound),
        `refused, but the router was touched: ${about}`,
      );
      return;
    case "unsettled":
      demand(
        isOvertaken || world.router?.marker != null || isAsFound || isAsOrigin || isCommittedAnyhow(process),
        `unsettled and without a marker: ${about}`,
      );
      return;
  }
}

/** The marker was removed after all, and nobody could be told. */
function isCommittedAnyhow({ seen, program: { candidate, plan }, found }: ProcessModel): boolean {
  const origin = (found && originOf(found)) ?? {};
  const ends: Traffic[] = [{ weights: { [candidate]: 100 } }, trafficAt(plan, origin, candidate, openPauseOf(plan))];
  return seen?.marker === null && ends.some((end) => sameTraffic(seen.traffic, end));
}

const calm = { fates: [], ownerLostAt: undefined, abortAt: undefined };

function planFor(strategy: Strategy, options: PlanOptions, approvals: number): Program["plan"] {
  const names = planOf(strategy, options).steps.flatMap((step) => (step.kind === "pause" ? [step.name] : []));
  return planOf(strategy, { ...options, approved: names.slice(0, approvals) });
}

function approvalsOf({ steps }: Plan): number {
  return steps.filter((step) => step.kind === "pause" && step.isApproved).length;
}

/** Plays a history, then heals the world and asks for what is right at the end. Gives what happened, for the statistics. */
async function play(history: History): Promise<string[]> {
  const clock = createFakeClock();
  const isNew = history.beginsWith === "nothing";
  const before: Settled = isNew ? nothing : { traffic: { weights: { v0: 100 } }, memory: { history: ["v0"] } };
  const world: World = {
    clock,
    health: new Map([["v0", "good"]]),
    sizes: new Map(),
    processes: [],
    alive: new Set(isNew ? [] : ["v0"]),
    down: new Set(),
    router: before.traffic
      ? { revision: 0, traffic: before.traffic, marker: null, memory: before.memory, shape: "{}" }
      : undefined,
    settled: before,
    latestClaim: undefined,
    restedPlan: undefined,
    begun: [],
    lastUndone: undefined,
    written: new Set(),
    readOnly: [],
    revision: 0,
    calls: 0,
    isBelated: false,
    violation: undefined,
    late: [],
    events: [],
  };
  let latest: Program | undefined;
  let versions = 0;

  const newVersion = (health: Health): VersionId => {
    const version = `v${++versions}`;
    world.health.set(version, health);
    return version;
  };

  /** What the commit declares, from what was declared before and what is in service. */
  const programOf = (update: Update): Program => {
    const { strategy, options, approvals, declaresStable } = update;
    const { history: promoted, rest } = world.settled.memory;
    const change = rest ? update.changeOfRest : update.change;
    const [serving] = promoted;
    const stable = declaresStable ? serving : undefined;
    const drawn = { strategy, options, plan: planFor(strategy, options, approvals) };
    if (change === "giveUp" && serving !== undefined && latest) {
      return { ...latest, candidate: serving, stable: declaresStable ? serving : undefined };
    }
    const former = promoted[1] ?? serving;
    if (change === "reverted" && former !== undefined) return { ...drawn, candidate: former, stable };
    if (change === "edited" && latest) return { ...latest, ...drawn };
    if (change === "same" && latest) return latest;
    if ((change === "approve" || change === "approveAll") && latest) {
      const more = change === "approve" ? approvalsOf(latest.plan) + 1 : Number.POSITIVE_INFINITY;
      return { ...latest, plan: planFor(latest.strategy, latest.options, more) };
    }
    return { ...drawn, candidate: newVersion(update.health), stable };
  };

  const release = async (program: Program, update: Parameters<typeof run>[2]): Promise<ProcessModel> => {
    const { candidate, stable } = program;
    latest = program;
    world.alive.add(candidate);
    if (stable !== undefined) world.alive.add(stable);
    const process = await run(world, program, update);
    const isRecorded = !(update.ownerLostAt !== undefined && process.calls >= update.ownerLostAt);
    if (process.outcome?.phase === "committed" && isRecorded) {
      world.alive = new Set([candidate, ...(stable === undefined ? [] : [stable])]);
    }
    const isResting = process.outcome?.phase === "committed" && process.outcome.memory.rest !== undefined;
    world.events.push(isResting ? "rested" : (process.outcome?.phase ?? process.state));
    return process;
  };

  for (const update of history.updates) {
    if (update.waitsForLease) clock.skip(leaseMs + 1);
    const program = programOf(update);
    const serving = Object.keys(originOf(world.settled) ?? {});
    world.down = new Set(update.isStableDown ? serving.filter((version) => version !== program.candidate) : []);
    await release(program, update);
  }
  world.down = new Set();

  // Everything that was still on its way arrives, in the worst order: after the runs.
  await clock.passUntil(() => world.processes.every(({ state }) => state !== "running"));
  while (world.late.length > 0 || world.processes.some(({ state }) => state === "frozen")) {
    if (world.late[0]) land(world, world.late[0]);
    for (const process of world.processes) thaw(world, process);
    await clock.passUntil(() => world.processes.every(({ state }) => state !== "running"));
  }
  demandNoViolation(world);
  const events = [...world.events];

  const blueGreen = {
    strategy: "blueGreen",
    options: {},
    plan: planOf("blueGreen", { holdMs: 100 }),
    stable: undefined,
  } as const;
  const origin = originOf(world.settled);
  const bad = await release({ ...blueGreen, candidate: newVersion("broken") }, calm);
  demand(bad.outcome?.phase === "rolledBack", `a broken version ended ${JSON.stringify(bad.outcome ?? bad.state)}`);
  demand(!world.router?.marker, "a marker was left");
  demand(
    origin === null ? !world.router : sameTraffic(world.router?.traffic ?? { weights: {} }, { weights: origin }),
    "a broken version changed the traffic",
  );
  demand(world.begun.length === 0 && world.readOnly.length === 0, "hooks were left");

  const good = await release({ ...blueGreen, candidate: newVersion("good") }, calm);
  demand(good.outcome?.phase === "committed", `a healthy version ended ${JSON.stringify(good.outcome ?? good.state)}`);
  const { candidate } = good.program;
  const isServed =
    world.router?.marker === null && sameTraffic(world.router.traffic, { weights: { [candidate]: 100 } });
  demand(isServed, "the healthy version does not serve");
  return events;
}

const late = fc.nat({ max: 60 });
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 90, arbitrary: fc.constant<Fate>({ kind: "ok" }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Fate>({ kind: "slow" }, { kind: "failBefore" }, { kind: "failAfter" }, { kind: "hang" }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Fate>({ kind: "crashBefore" }, { kind: "crashAfter" }) },
  { weight: 1, arbitrary: late.map((landsAfter): Fate => ({ kind: "crashLate", landsAfter })) },
  { weight: 1, arbitrary: late.map((landsAfter): Fate => ({ kind: "hangLate", landsAfter })) },
  { weight: 1, arbitrary: late.map((thawsAfter): Fate => ({ kind: "freeze", thawsAfter })) },
);
const seldom: fc.Arbitrary<number | undefined> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 80 }) },
);

/** What happens before, or at, a weight; its names are made afterwards. */
const between: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({ kind: "soak", durationMs: 100 }),
  fc.constant<Step>(pause("")),
  fc.constant<Step>(pause("")),
  fc.constant<Step>(pause("")),
  fc.constant<Step>(pause("")),
  fc.constant<Step>(runHook("", { limitMs: 5_000, undo: "" })),
  fc.constant<Step>(runHook("", { limitMs: 5_000 })),
  fc.constant<Step>({ kind: "experiment", durationMs: 300 }),
  fc.constant<Step>({ kind: "verify", target: "service" }),
  fc.constantFrom<Step>({ kind: "mirror", percent: 10 }, { kind: "mirror", percent: 0 }),
  fc.constantFrom<Step>(
    { kind: "route", matches: [{ header: "x-beta", exact: "yes" }] },
    { kind: "route", matches: [] },
  ),
  fc.constantFrom<Step>({ kind: "scale", size: { percent: 20 } }, { kind: "scale", size: { replicas: 1 } }),
);
const weightSteps = fc
  .subarray([0, 5, 20, 50])
  .map((weights) => weights.map((weightPercent): Step => ({ kind: "shift", weightPercent })));
const drawnSteps = fc
  .tuple(weightSteps, fc.array(fc.tuple(fc.nat({ max: 4 }), between), { maxLength: 4 }))
  .map(([weights, others]) => {
    const steps = [...weights];
    for (const [place, step] of others) steps.splice(Math.min(place, steps.length), 0, step);
    return steps.map(named);
  });
const readOnlyHook = runHook(stopWrites, { limitMs: 5_000, undo: undoOf(stopWrites), startsReadOnly: true });

function named(step: Step, index: number): Step {
  if (step.kind === "pause") return { ...step, name: `pause-${index}` };
  if (step.kind !== "hook") return step;
  const name = `hook-${index}`;
  return { ...step, name, ...(step.undo === undefined ? {} : { undo: undoOf(name) }) };
}

const common = {
  holdMs: fc.constant(100),
  deadlineMs: fc.constantFrom(120_000, 120_000, 30_000),
  propagationLimitMs: fc.constant(1_000),
  fastTrackChanges: fc.constantFrom(0, 0, 1, 2),
};
const staged = {
  ...common,
  promotion: fc.constantFrom("automatic", "automatic", "approved"),
  previewReplicas: fc.constantFrom(undefined, undefined, 1),
};
const release: fc.Arbitrary<Pick<Update, "strategy" | "options">> = fc.oneof(
  fc.record(common).map((options) => ({ strategy: "direct" as const, options })),
  fc.record(staged).map((options) => ({ strategy: "blueGreen" as const, options })),
  fc
    .record({
      ...staged,
      steps: drawnSteps,
      sizing: fc.constantFrom("full", "full", "matchTraffic"),
      affinity: fc.constantFrom(undefined, {}),
      background: fc.constantFrom(undefined, undefined, {}),
    })
    .map((options) => ({ strategy: "progressive" as const, options })),
  fc
    .record({
      ...common,
      steps: drawnSteps.map((steps) => [...steps, readOnlyHook]),
      closing: fc.constantFrom([], [runHook("end", { limitMs: 5_000 })], [pause("close")]),
    })
    .map((options) => ({ strategy: "parallel" as const, options })),
);
const update: fc.Arbitrary<Update> = fc
  .record({
    change: fc.constantFrom("new", "new", "new", "same", "reverted", "edited"),
    changeOfRest: fc.constantFrom("approve", "approve", "approve", "approveAll", "giveUp", "new", "same", "edited"),
    health: fc.constantFrom<Health>("good", "good", "good", "good", "good", "broken", "inService"),
    release,
    approvals: fc.constantFrom(0, 0, 0, 1, 9),
    declaresStable: fc.constantFrom(true, true, true, false),
    isStableDown: fc.constantFrom(false, false, false, false, false, false, false, false, true),
    // Half of the updates meet no fault, or there would hardly be a pause to go on from.
    fates: fc.oneof(fc.constant([]), fc.array(fate, { maxLength: 80, size: "max" })),
    ownerLostAt: seldom,
    abortAt: seldom,
    waitsForLease: fc.boolean(),
  })
  .map(({ release: { strategy, options }, ...drawn }) => ({ ...drawn, strategy, options }));
const history: fc.Arbitrary<History> = fc.record({
  beginsWith: fc.constantFrom("nothing", "a stable version", "a stable version", "a stable version"),
  updates: fc.array(update, { minLength: 1, maxLength: 5 }),
});

it(`keeps its promises in ${numberOfRuns} random histories of updates`, { timeout: 1_200_000 }, async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(history, async (drawn) => {
      for (const event of await play(drawn)) seen.set(event, (seen.get(event) ?? 0) + 1);
    }),
    {
      numRuns: numberOfRuns,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
    },
  );
  // The model would prove little if some end were never reached.
  const ends = ["committed", "rested", "rolledBack", "refused", "unsettled", "dead", "frozen"];
  for (const end of [...ends, "wentOn", "pauseGivenUp", "hookRan"])
    expect(seen.get(end), end).toBeGreaterThan(numberOfRuns / 200);
});
