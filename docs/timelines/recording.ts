import {
  beginCutover,
  beginPlan,
  describePlan,
  describeStep,
  next,
  planOf,
  planReplicaCounts,
  trafficAfter,
  type Action,
  type CandidateSize,
  type CutoverEvent,
  type CutoverState,
  type Plan,
  type PlanOptions,
  type RouterMemory,
  type RouterObservation,
  type Step,
  type Strategy,
  type Traffic,
  type Weights,
} from "../../packages/core/src/index.ts";

/** A release as a page tells it: one update after the other, each with what its commit declares. */
export interface Scene {
  readonly strategy: Strategy;
  /** The declared number of Pods. */
  readonly replicas: number;
  /** What splits the traffic: weights, or the number of Pods of each version. */
  readonly router: "weights" | "pods";
  readonly updates: readonly { readonly commit: string; readonly options: PlanOptions }[];
  /** The names of the probes. */
  readonly probes: readonly string[];
}

/** What happened in a scene, and what the preview of each of its updates said. */
export interface Recording {
  readonly spans: readonly Span[];
  readonly previews: readonly string[];
  /** What the preview says at each pause when the commit that brought the candidate is reverted. */
  readonly revertPreviews: readonly string[];
}

/** The names of the two versions in every picture and every preview. */
export const versions = { stable: "web-5b0e77a4", candidate: "web-3f9ac2d1" } as const;

/** A stretch of a release in which nothing changes but time. */
export interface Span {
  readonly kind: Step["kind"] | "standUp" | "rest" | "cleanUp";
  /** What happens, in a word or two. */
  readonly words: readonly string[];
  /** On purpose, or what measuring takes at the least. `undefined`: as long as it takes. */
  readonly durationMs?: number;
  readonly traffic: Traffic;
  readonly pods: { readonly stable: number; readonly candidate: number };
  /** What is done about data meanwhile: the candidate's is kept in step with the old one, or nobody can write. */
  readonly data?: "inStep" | "readOnly";
  /** The hooks that a failure in it takes back. */
  readonly undo: readonly string[];
  /** Where traffic goes when something fails in it. `undefined`: nothing was moved, or nothing goes back by itself. */
  readonly goesBackTo?: Weights;
  /** The place of its update, from 0. */
  readonly update: number;
}

/** What a verification takes at the least, by the defaults of the engine, which a test compares. */
export const measuring = {
  candidate: { intervalMs: 200, countPerPlace: 3 },
  service: { intervalMs: 100, count: 20 },
} as const;

/** Lets the transaction itself run through the scene, in a world where all goes well, and writes down what it does. */
export function recordRelease(scene: Scene): Recording {
  const allToStable = { [versions.stable]: 100 };
  let weights: Weights = allToStable;
  let memory: RouterMemory = { history: [versions.stable] };
  const plans = scene.updates.map(({ options }) => planOf(scene.strategy, options));
  let pods = { stable: scene.replicas, candidate: firstSize(scene, plans[0]) };
  const spans: Span[] = [];
  const previews: string[] = [];
  const revertPreviews: string[] = [];
  const preview = (plan: Plan, candidate: string): string => {
    const beginning = beginPlan(plan, { candidate, weights, isServed: true, ...memory });
    return describePlan({ ...beginning, release: "web", candidate, from: weights, probes: scene.probes });
  };

  for (const [update, plan] of plans.entries()) {
    const here = (span: Omit<Span, "update" | "pods" | "traffic" | "undo"> & Partial<Span>): void => {
      spans.push({ update, pods, traffic: { weights }, undo: [], ...span });
    };
    const { stable, candidate } = versions;
    previews.push(preview(plan, candidate));
    if (update === 0) here({ kind: "standUp", words: ["its Pods", "start"] });
    let state = beginCutover({
      id: `update ${update + 1}`,
      candidate,
      stable,
      plan,
      owner: { host: "here", processId: 1, processStart: "1" },
      leaseMs: 15_000,
    });
    let event: CutoverEvent = { kind: "started" };
    for (;;) {
      const transition = next(state, event, 0);
      state = transition.state;
      const { action } = transition;
      if (!action) break;
      if (state.phase === "stepping") {
        const step = stepOf(state);
        const traffic = trafficAfter(state.plan, allToStable, candidate, state.marker.step);
        const before = pods;
        pods = podsAfter(scene, action, traffic, before);
        if (action.kind === "shift") weights = traffic.weights;
        const { marker } = state;
        const span = {
          ...wordsOf(step, pods.candidate),
          traffic,
          ...dataIn(state),
          undo: marker.undo ?? [],
          goesBackTo: wayBack(state),
        };
        // What is one write, or finds the Pods as they should be, takes no time to speak of.
        const isMoment = action.kind === "shift" ? scene.router === "weights" : isSameSize(before, pods);
        if (!isMoment || isMeasured(step)) here(span);
      }
      if (action.kind === "release" && action.memory) memory = action.memory;
      event = answerTo(action, { exists: true, weights, marker: null, shape: "", memory });
    }
    if (state.phase !== "committed") throw new Error(`The scene ends in the phase ${state.phase}.`);
    if (memory.rest) {
      revertPreviews.push(preview(planOf(scene.strategy), stable));
      const { origin: goesBackTo, undo } = memory.rest;
      const { durationMs: _durationMs, ...last } = { ...spans.at(-1) };
      here({ ...last, kind: "rest", words: ["until a later", "commit"], undo, goesBackTo });
    } else {
      pods = { stable: 0, candidate: pods.candidate };
      here({ kind: "cleanUp", words: ["old Pods", "deleted"] });
    }
  }
  return { spans, previews, revertPreviews };
}

function dataIn({ plan, marker }: Stepping): Pick<Span, "data"> {
  if (marker.readOnly) return { data: "readOnly" };
  const done = plan.steps.slice(0, marker.step + 1);
  const isPromoted = done.some((step) => step.kind === "shift" && step.weightPercent === 100);
  const isKept = done.some((step) => step.kind === "hook" && step.keepsInStep === true);
  return isKept && !isPromoted ? { data: "inStep" } : {};
}

type Stepping = Extract<CutoverState, { readonly phase: "stepping" }>;

function isSameSize(one: Span["pods"], other: Span["pods"]): boolean {
  return one.stable === other.stable && one.candidate === other.candidate;
}

/** Whether time passes in a step although nothing changes in it. */
function isMeasured({ kind }: Step): boolean {
  return kind !== "shift" && kind !== "route" && kind !== "mirror" && kind !== "scale";
}

function firstSize(scene: Scene, plan: Plan | undefined): number {
  if (scene.router === "pods") return 1;
  const [first] = plan?.steps ?? [];
  return first?.kind === "scale" ? podsOf(first.size, scene.replicas) : scene.replicas;
}

function podsOf(size: CandidateSize, replicas: number): number {
  return "replicas" in size ? size.replicas : Math.ceil((replicas * size.percent) / 100);
}

function podsAfter(scene: Scene, action: Action, traffic: Traffic, pods: Span["pods"]): Span["pods"] {
  if (action.kind === "scale") return { ...pods, candidate: podsOf(action.size, scene.replicas) };
  if (action.kind !== "shift" || scene.router !== "pods") return pods;
  const weightPercent = traffic.weights[versions.candidate] ?? 0;
  // The old version keeps a Pod while the new one has everything, so that going back is a switch.
  if (weightPercent === 100) return { stable: 1, candidate: scene.replicas };
  return planReplicaCounts({ total: scene.replicas, maxSurge: "25%", maxUnavailable: "25%", weightPercent });
}

function stepOf({ plan, marker }: Stepping): Step {
  const step = plan.steps[marker.step];
  if (!step) throw new RangeError(`The plan has no step ${marker.step}.`);
  return step;
}

/** Where traffic goes when what is under way fails, as the transaction itself says. */
function wayBack(state: CutoverState): Weights {
  const { action } = next(state, { kind: "failed", message: "it failed" }, 0);
  if (action?.kind !== "restore" || !action.origin) throw new Error("A failure did not lead to a rollback.");
  return action.origin.weights;
}

function answerTo(action: Action, observation: RouterObservation): CutoverEvent {
  switch (action.kind) {
    case "observe":
      return { kind: "observed", observation, ownerGone: true };
    case "verify":
    case "experiment":
      return { kind: "verified", passed: true, message: "all passed" };
    case "claim":
    case "shift":
    case "scale":
    case "hook":
    case "restore":
    case "disconnect":
    case "release":
      return { kind: "done" };
  }
}

function wordsOf(step: Step, candidatePods: number): Pick<Span, "kind" | "words" | "durationMs"> {
  const { kind } = step;
  switch (step.kind) {
    case "verify":
      return step.target === "candidate"
        ? { kind, words: ["verify", "Pods"], durationMs: timeFor(measuring.candidate, candidatePods) }
        : { kind, words: ["verify", "service"], durationMs: timeFor(measuring.service) };
    case "soak":
      return { kind, words: ["stay"], durationMs: step.durationMs };
    case "hold":
      return { kind, words: ["hold"], durationMs: step.durationMs };
    case "experiment":
      return { kind, words: ["compare", "both"], durationMs: step.durationMs };
    case "scale":
      return { kind, words: ["Pods", "change"] };
    case "hook":
      return { kind, words: linesOf(step.name) };
    case "shift":
      return { kind, words: ["Pods", "change"] };
    case "pause":
    case "route":
    case "mirror":
      return { kind, words: [describeStep(step)] };
  }
}

/** A name of several words in two lines. */
function linesOf(name: string): string[] {
  const [first = "", ...others] = name.split("-");
  return others.length === 0 ? [first] : [first, others.join("-")];
}

function timeFor(
  { intervalMs, ...counts }: { readonly intervalMs: number; readonly count?: number; readonly countPerPlace?: number },
  places = 1,
): number {
  return (Math.max(1, counts.count ?? (counts.countPerPlace ?? 1) * places) - 1) * intervalMs;
}
