import { describeWindow, isOpen } from "../window.ts";
import { newestFirst, oldestFirst, prepend } from "./persistent-list.ts";
import type { Ring } from "./plan-rings.ts";
import type { RingFact } from "./ring-fact.ts";
import type { RingReason } from "./ring-reason.ts";
import type {
  LookAction,
  RingAction,
  RingAnswer,
  RingEvent,
  RingOutcome,
  RingReport,
  RingRun,
  RingState,
  TargetLook,
  TargetNotes,
  TargetWork,
  WorkAction,
} from "./ring-state.ts";
import {
  beginTarget,
  checkTarget,
  mayRetry,
  nextForTarget,
  retryDelayMs,
  takeBack,
  unfinishedMarker,
  workOn,
  type TargetStep,
} from "./target-work.ts";

/** The state after an event, what to write down, and what to begin next; without anything under way the run is over. */
export interface RingTransition {
  readonly state: RingState;
  readonly facts: readonly RingFact[];
  readonly actions: readonly RingAction[];
}

/** Looking changes nothing, so it is limited only by what one machine can reasonably keep open. */
const looksAtOnce = 50;

const noNotes: TargetNotes = { failed: undefined, stuck: undefined, unverified: undefined };

/** The state before anything happened. */
export function beginRings(run: RingRun): RingState {
  return { phase: "looking", run, ring: 0, cursor: 0, underWay: 0, looks: undefined };
}

/**
 * The whole release by rings as a pure function. First every target is looked at, so that what can be known beforehand is; then ring
 * after ring is changed. Each event costs the same however many targets there are: what is under way travels with its action, and
 * what is over is kept in lists that grow at one end.
 */
export function nextRing(state: RingState, event: RingEvent, nowMs: number): RingTransition {
  switch (state.phase) {
    case "looking":
      return fromLooking(state, event, nowMs);
    case "changing":
      return fromChanging(state, event, nowMs);
    case "soaking":
      return fromSoaking(state, event, nowMs);
    case "checking":
      return fromChecking(state, event, nowMs);
    case "goingBack":
      return fromGoingBack(state, event);
    case "completed":
    case "stopped":
    case "rolledBack":
    case "refused":
    case "unsettled":
      return { state, facts: [], actions: [] };
  }
}

function fromLooking(state: Of<"looking">, event: RingEvent, nowMs: number): RingTransition {
  if (event.kind === "started") return lookFurther(state, [], [], nowMs);
  if (event.kind === "interrupted") return lookFurther({ ...state, stopping: event.reason }, [], [], nowMs);
  const { action, answer } = event;
  if (action.kind !== "look") return unchanged(state);
  const { target, ring, attempt } = action;
  if (answer.kind === "observed") {
    const looks = prepend<TargetLook>({ target, ring, observation: answer.observation }, state.looks);
    return lookFurther({ ...state, underWay: state.underWay - 1, looks }, [], [], nowMs);
  }
  if (mayRetry(attempt) && !state.stopping) {
    const again: LookAction = { ...action, attempt: attempt + 1, delayMs: retryDelayMs(attempt) };
    return { state, facts: [], actions: [again] };
  }
  // Once the run is stopping, a look was cut short rather than in vain.
  if (state.stopping) return lookFurther({ ...state, underWay: state.underWay - 1 }, [], [], nowMs);
  const message = answer.kind === "failed" ? answer.message : "it was not looked at";
  const looks = prepend<TargetLook>({ target, ring, message }, state.looks);
  const fact: RingFact = { kind: "targetUnreachable", target, ring: nameOf(state.run, ring), message };
  return lookFurther({ ...state, underWay: state.underWay - 1, looks }, [fact], [], nowMs);
}

function lookFurther(
  state: Of<"looking">,
  facts: readonly RingFact[],
  begun: readonly RingAction[],
  nowMs: number,
): RingTransition {
  const { run, stopping } = state;
  const actions: RingAction[] = [...begun];
  let { ring, cursor, underWay } = state;
  while (!stopping && underWay < looksAtOnce && ring < run.plan.rings.length) {
    const target = run.plan.rings[ring]?.targets[cursor];
    if (target === undefined) {
      ring++;
      cursor = 0;
      continue;
    }
    actions.push({ kind: "look", target, ring, attempt: 1, delayMs: 0 });
    cursor++;
    underWay++;
  }
  const looking: Of<"looking"> = { ...state, ring, cursor, underWay };
  if (underWay > 0) return { state: looking, facts, actions };
  return withFacts(facts, stopping ? refuse(run, stopping) : survey(looking, nowMs));
}

/** All that can be known before the first target is touched. */
function survey({ run, looks: found }: Of<"looking">, nowMs: number): RingTransition {
  const inOrder = oldestFirst(found);
  const looks = new Map(inOrder.map((look) => [look.target, look]));
  const facts: RingFact[] = [
    {
      kind: "targetsObserved",
      targets: inOrder.length,
      onCandidate: inOrder.filter(({ observation }) => observation?.version === run.candidate).length,
      unreachable: inOrder.filter(({ observation }) => !observation).length,
    },
    ...unfinishedRuns(run, inOrder),
  ];
  const reason = windowReason(run, nowMs) ?? unreachableReason(run, looks);
  const forward: Forward = { run, looks, ring: 0, earlier: undefined, failedInRing: 0, notes: noNotes };
  if (!reason) return withFacts(facts, enterRing(forward, nowMs));
  // What a crash left half-way is put back at any hour; a release that cannot begin is no reason to leave it.
  const hasLeftovers = facts.some(({ kind }) => kind === "unfinishedRunFound");
  return withFacts(facts, hasLeftovers ? goBack(forward, [], reason, "rollBackAll") : refuse(run, reason));
}

function unfinishedRuns(run: RingRun, looks: readonly TargetLook[]): RingFact[] {
  const found = new Map<string, Extract<RingFact, { readonly kind: "unfinishedRunFound" }>>();
  for (const { observation } of looks) {
    const marker = unfinishedMarker(run, observation);
    if (!marker) continue;
    const targets = (found.get(marker.run)?.targets ?? 0) + 1;
    found.set(marker.run, { kind: "unfinishedRunFound", run: marker.run, candidate: marker.candidate, targets });
  }
  return [...found.values()];
}

/** A ring that cannot pass is known before the first one begins. */
function unreachableReason(run: RingRun, looks: ReadonlyMap<string, TargetLook>): RingReason | undefined {
  for (const { name, targets, failureBudget } of run.plan.rings) {
    const away = targets.filter((target) => !looks.get(target)?.observation);
    if (away.length <= failureBudget) continue;
    const shown = away.slice(0, 3).join(", ") + (away.length > 3 ? ", …" : "");
    return {
      code: "targets-unreachable",
      message: `${away.length} of the ${targets.length} targets of ${name} cannot be reached (${shown}), and failureBudget = ${failureBudget}. Make them reachable, take them out, or raise failureBudget.`,
    };
  }
  return undefined;
}

function enterRing(forward: Forward, nowMs: number): RingTransition {
  const { name, targets } = ringAt(forward);
  const state: Of<"changing"> = {
    ...forward,
    phase: "changing",
    failedInRing: 0,
    cursor: 0,
    underWay: 0,
    onCandidate: undefined,
  };
  const started: RingFact = { kind: "ringStarted", ring: name, targets: targets.length };
  return changeFurther(state, [started], [], nowMs);
}

function fromChanging(state: Of<"changing">, event: RingEvent, nowMs: number): RingTransition {
  if (event.kind === "started") return unchanged(state);
  if (event.kind === "interrupted") return changeFurther(...stop(state, event.reason), [], nowMs);
  const answered = afterAnswer(state, event.action, event.answer);
  return answered ? changeFurther(...answered, nowMs) : unchanged(state);
}

/** Begins with as many targets as may be under way; ends the ring when none is left. */
function changeFurther(
  before: Of<"changing">,
  facts: readonly RingFact[],
  begun: readonly RingAction[],
  nowMs: number,
): RingTransition {
  const { targets, concurrency } = ringAt(before);
  const allFacts: RingFact[] = [...facts];
  const actions: RingAction[] = [...begun];
  let state = before;
  while (!state.stopping && state.underWay < concurrency && state.cursor < targets.length) {
    const closed = windowReason(state.run, nowMs);
    if (closed) {
      const [stopped, stopFacts] = stop(state, closed);
      allFacts.push(...stopFacts);
      state = stopped;
      break;
    }
    const look = state.looks.get(targets[state.cursor] ?? "");
    state = { ...state, cursor: state.cursor + 1 };
    if (!look?.observation) {
      const target = targets[state.cursor - 1] ?? "";
      const message = `it cannot be reached: ${look?.message ?? "nobody looked"}`;
      allFacts.push({ kind: "targetFailed", target, ring: nameOf(state.run, state.ring), message });
      const [failed, failFacts] = countFailure(state, target, message);
      allFacts.push(...failFacts);
      state = failed;
      continue;
    }
    const step = beginTarget(state.run, workOn(state.run, look, look.observation));
    allFacts.push(...step.facts);
    if (step.action) actions.push(step.action);
    state = { ...state, underWay: state.underWay + 1 };
  }
  if (state.underWay > 0) return { state, facts: allFacts, actions };
  return withFacts(allFacts, endOfChanging(state, nowMs));
}

function endOfChanging(state: Of<"changing">, nowMs: number): RingTransition {
  const onCandidate = oldestFirst(state.onCandidate);
  if (state.stopping) return endRing(state, onCandidate, state.stopping);
  const { name, soakMs } = ringAt(state);
  if (soakMs === 0) return passRing(state, onCandidate, nowMs);
  return {
    state: { ...forwardOf(state), phase: "soaking", onCandidate },
    facts: [{ kind: "ringSoaking", ring: name, soakMs }],
    actions: [{ kind: "soak", durationMs: soakMs }],
  };
}

function fromSoaking(state: Of<"soaking">, event: RingEvent, nowMs: number): RingTransition {
  // The soak itself is cut short by what interrupts, and answers.
  if (event.kind === "interrupted") {
    const [stopped, facts] = stop(state, event.reason);
    return { state: stopped, facts, actions: [] };
  }
  if (event.kind !== "answered" || event.action.kind !== "soak") return unchanged(state);
  const { onCandidate, stopping } = state;
  if (stopping) return endRing(state, onCandidate, stopping);
  const checking: Of<"checking"> = {
    ...forwardOf(state),
    phase: "checking",
    toCheck: onCandidate,
    cursor: 0,
    underWay: 0,
    onCandidate: undefined,
  };
  return checkFurther(checking, [], [], nowMs);
}

function fromChecking(state: Of<"checking">, event: RingEvent, nowMs: number): RingTransition {
  if (event.kind === "started") return unchanged(state);
  if (event.kind === "interrupted") return checkFurther(...stop(state, event.reason), [], nowMs);
  const answered = afterAnswer(state, event.action, event.answer);
  return answered ? checkFurther(...answered, nowMs) : unchanged(state);
}

function checkFurther(
  before: Of<"checking">,
  facts: readonly RingFact[],
  begun: readonly RingAction[],
  nowMs: number,
): RingTransition {
  const { toCheck, stopping } = before;
  const { concurrency } = ringAt(before);
  const actions: RingAction[] = [...begun];
  let { cursor, underWay } = before;
  for (; !stopping && underWay < concurrency && cursor < toCheck.length; cursor++, underWay++) {
    const work = toCheck[cursor];
    if (work) actions.push(checkTarget(work));
  }
  const state: Of<"checking"> = { ...before, cursor, underWay };
  if (underWay > 0) return { state, facts, actions };
  const onCandidate = [...oldestFirst(state.onCandidate), ...toCheck.slice(cursor)];
  return withFacts(facts, stopping ? endRing(state, onCandidate, stopping) : passRing(state, onCandidate, nowMs));
}

/** What an answer means for the target and its ring. `undefined`: it belongs to nothing that is under way here. */
function afterAnswer<State extends Of<"changing"> | Of<"checking">>(
  before: State,
  action: RingAction,
  answer: RingAnswer,
): [state: State, facts: readonly RingFact[], begun: readonly RingAction[]] | undefined {
  if (action.kind === "look" || action.kind === "soak") return undefined;
  const step = nextForTarget(before.run, action, answer);
  const facts: RingFact[] = [...step.facts];
  let state = before;
  if (step.failure !== undefined) {
    const [failed, failFacts] = countFailure(state, action.work.target, step.failure);
    facts.push(...failFacts);
    state = failed;
  }
  if (step.stopping) {
    const [stopped, stopFacts] = stop(state, step.stopping);
    facts.push(...stopFacts);
    state = stopped;
  }
  if (step.action) return [state, facts, [step.action]];
  const ended: State = { ...state, underWay: state.underWay - 1, notes: noted(state.notes, action, step) };
  if (step.end?.kind !== "onCandidate") return [ended, facts, []];
  return [{ ...ended, onCandidate: prepend(step.end.work, ended.onCandidate) }, facts, []];
}

function noted(notes: TargetNotes, { work: { target } }: WorkAction, { end }: TargetStep): TargetNotes {
  if (end?.kind === "stuck") return { ...notes, stuck: prepend({ target, message: end.message }, notes.stuck) };
  if (end?.kind !== "unverified") return notes;
  return { ...notes, unverified: prepend({ target, message: end.message }, notes.unverified) };
}

function countFailure<State extends Of<"changing"> | Of<"checking">>(
  before: State,
  target: string,
  message: string,
): [State, readonly RingFact[]] {
  const failed = prepend({ target, message }, before.notes.failed);
  const state: State = { ...before, failedInRing: before.failedInRing + 1, notes: { ...before.notes, failed } };
  const { name, isPilot, failureBudget, targets } = ringAt(state);
  if (state.failedInRing <= failureBudget) return [state, []];
  if (isPilot) return stop(state, { code: "pilot-failed", message: `The pilot failed: ${target}: ${message}` });
  return stop(state, {
    code: "budget-exceeded",
    message: `${state.failedInRing} of the ${targets.length} targets of ${name} failed, more than failureBudget = ${failureBudget}; the last one was ${target}: ${message}`,
  });
}

/** The first reason counts. */
function stop<State extends Of<"changing"> | Of<"soaking"> | Of<"checking">>(
  state: State,
  reason: RingReason,
): [State, readonly RingFact[]] {
  if (state.stopping) return [state, []];
  return [{ ...state, stopping: reason }, [{ kind: "ringsStopping", ring: nameOf(state.run, state.ring), reason }]];
}

function passRing(forward: Forward, onCandidate: readonly TargetWork[], nowMs: number): RingTransition {
  const { run, ring, failedInRing, notes } = forward;
  const passed: RingFact = { kind: "ringPassed", ring: nameOf(run, ring), failed: failedInRing };
  const earlier = prepend(onCandidate, forward.earlier);
  if (ring + 1 < run.plan.rings.length) {
    return withFacts([passed], enterRing({ ...forwardOf(forward), ring: ring + 1, earlier }, nowMs));
  }
  const report = reportOf(notes);
  return end({ phase: "completed", run, report }, [
    passed,
    { kind: "ringsCompleted", failed: report.failed.length, stuck: idsOf(report.stuck) },
  ]);
}

/** A ring failed, or something from outside ended it. */
function endRing(forward: Forward, onCandidate: readonly TargetWork[], reason: RingReason): RingTransition {
  const { onFailure } = ringAt(forward);
  if (onFailure === "stop") return finish(forward.run, reason, "stop", forward.notes);
  return goBack(forward, onCandidate, reason, onFailure);
}

function goBack(
  forward: Forward,
  onCandidate: readonly TargetWork[],
  reason: RingReason,
  scope: "rollBackRing" | "rollBackAll",
): RingTransition {
  const { run, notes } = forward;
  const inRing = onCandidate.filter(({ isTouched }) => isTouched).reverse();
  const groups = scope === "rollBackRing" ? [inRing] : allTouched(forward, onCandidate);
  const targets = groups.reduce((sum, group) => sum + group.length, 0);
  const started: RingFact = { kind: "ringsGoingBack", reason, scope, targets };
  return goBackFurther(
    { phase: "goingBack", run, reason, scope, groups, group: 0, cursor: 0, underWay: 0, notes },
    [started],
    [],
  );
}

/** What this run left on the candidate, and what an unfinished one left anywhere; by ring, the last one first. */
function allTouched(forward: Forward, onCandidate: readonly TargetWork[]): (readonly TargetWork[])[] {
  const { run, looks, earlier, notes } = forward;
  const works = [...oldestFirst(earlier), onCandidate].flat();
  const handled = new Set([
    ...works.map(({ target }) => target),
    ...newestFirst(notes.failed).map(({ target }) => target),
  ]);
  const groups: TargetWork[][] = run.plan.rings.map(() => []);
  for (const work of works) if (work.isTouched) groups[work.ring]?.push(work);
  for (const look of looks.values()) {
    if (handled.has(look.target) || !look.observation || !unfinishedMarker(run, look.observation)) continue;
    groups[look.ring]?.push(workOn(run, look, look.observation));
  }
  for (const group of groups) group.reverse();
  return groups.reverse();
}

function fromGoingBack(state: Of<"goingBack">, event: RingEvent): RingTransition {
  // Once the way back has begun, nothing stops it.
  if (event.kind !== "answered" || event.action.kind === "look" || event.action.kind === "soak")
    return unchanged(state);
  const step = nextForTarget(state.run, event.action, event.answer);
  if (step.action) return { state, facts: step.facts, actions: [step.action] };
  const notes = noted(state.notes, event.action, step);
  return goBackFurther({ ...state, underWay: state.underWay - 1, notes }, step.facts, []);
}

/** The rings' concurrency holds on the way back too: it is there because so many targets may be missing at once. */
function goBackFurther(
  state: Of<"goingBack">,
  facts: readonly RingFact[],
  begun: readonly RingAction[],
): RingTransition {
  const { run, reason, scope, groups } = state;
  const actions: RingAction[] = [...begun];
  let { group, cursor, underWay } = state;
  for (; group < groups.length; group++, cursor = 0) {
    const works = groups[group] ?? [];
    const concurrency = run.plan.rings[works[0]?.ring ?? 0]?.concurrency ?? 1;
    for (; underWay < concurrency && cursor < works.length; cursor++, underWay++) {
      const work = works[cursor];
      if (work) actions.push(takeBack(work));
    }
    if (underWay > 0) return { state: { ...state, group, cursor, underWay }, facts, actions };
  }
  return withFacts(facts, finish(run, reason, scope, state.notes));
}

function finish(
  run: RingRun,
  reason: RingReason,
  scope: "stop" | "rollBackRing" | "rollBackAll",
  notes: TargetNotes,
): RingTransition {
  const report = reportOf(notes);
  const stuck = idsOf(report.stuck);
  if (scope !== "rollBackAll") {
    return end({ phase: "stopped", run, reason, report }, [{ kind: "ringsStopped", reason, stuck }]);
  }
  if (stuck.length > 0) {
    return end({ phase: "unsettled", run, reason, report }, [{ kind: "ringsUnsettled", reason, stuck }]);
  }
  return end({ phase: "rolledBack", run, reason, report }, [{ kind: "ringsRolledBack", reason }]);
}

function refuse(run: RingRun, reason: RingReason): RingTransition {
  return end({ phase: "refused", run, reason }, [{ kind: "ringsRefused", reason }]);
}

function end(state: RingOutcome, facts: readonly RingFact[]): RingTransition {
  return { state, facts, actions: [] };
}

function unchanged(state: RingState): RingTransition {
  return { state, facts: [], actions: [] };
}

function withFacts(facts: readonly RingFact[], transition: RingTransition): RingTransition {
  return { ...transition, facts: [...facts, ...transition.facts] };
}

function reportOf({ failed, stuck, unverified }: TargetNotes): RingReport {
  return { failed: oldestFirst(failed), stuck: oldestFirst(stuck), unverified: oldestFirst(unverified) };
}

function idsOf(notes: RingReport["stuck"]): string[] {
  return notes.map(({ target }) => target);
}

function windowReason({ plan: { window } }: RingRun, nowMs: number): RingReason | undefined {
  if (!window || isOpen(window, nowMs)) return undefined;
  return {
    code: "window-closed",
    message: `The change window is closed: it is open ${describeWindow(window)}. Release within it, or have another window approved.`,
  };
}

function ringAt({ run, ring }: Forward): Ring {
  const found = run.plan.rings[ring];
  if (!found) throw new RangeError(`The plan has no ring ${ring}; it has ${run.plan.rings.length}.`);
  return found;
}

function nameOf(run: RingRun, ring: number): string {
  return run.plan.rings[ring]?.name ?? "";
}

/** What all phases that change targets carry on. */
function forwardOf({ run, looks, ring, earlier, failedInRing, notes, stopping }: Forward): Forward {
  return { run, looks, ring, earlier, failedInRing, notes, ...(stopping ? { stopping } : {}) };
}

type Of<Phase extends RingState["phase"]> = Extract<RingState, { readonly phase: Phase }>;
type Forward = Pick<Of<"changing">, "run" | "looks" | "ring" | "earlier" | "failedInRing" | "notes" | "stopping">;
