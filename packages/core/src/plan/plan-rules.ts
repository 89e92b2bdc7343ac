import { BasculeError } from "../errors.ts";
import type { Strategy } from "./plan.ts";
import { isTimed, type Step } from "./step.ts";
import type { PlanOptions } from "./plan-options.ts";

/** The error for a plan that cannot be made. */
export function invalid(message: string): BasculeError {
  return new BasculeError("invalid-input", message);
}

const stagedOnly = ["promotion", "previewReplicas"] as const;
const steppedOnly = ["steps", "closing", "sizing"] as const;

/**
 * An option that a strategy has no use for is refused: a pause that is silently left out would be a promotion that nobody approved.
 *
 * @throws BasculeError `invalid-input`
 */
export function checkOptions(strategy: Strategy, options: PlanOptions): void {
  const isMeant = (field: (typeof stagedOnly | typeof steppedOnly)[number]) =>
    options[field] !== undefined && options[field] !== "automatic" && options[field] !== "full";
  if (strategy === "direct") {
    const field = [...stagedOnly, ...steppedOnly].find(isMeant);
    if (field !== undefined)
      throw invalid(
        `${field} has no meaning for a direct release, which moves everything at once: choose another strategy`,
      );
  }
  if (strategy === "blueGreen") {
    const field = steppedOnly.find(isMeant);
    if (field !== undefined)
      throw invalid(
        `${field} has no meaning for a blue/green release, which is one switch: choose a progressive or a parallel one`,
      );
  }
}

/**
 * Refuses steps that contradict each other.
 *
 * @throws BasculeError `invalid-input`
 */
export function checkSteps(steps: readonly Step[]): void {
  checkTraffic(steps);
  for (const [index, step] of steps.entries()) {
    if (step.kind === "hook" && step.startsReadOnly) checkReadOnly(step, steps.slice(index + 1));
  }
}

function checkTraffic(steps: readonly Step[]): void {
  let weightPercent = 0;
  for (const step of steps) {
    if (weightPercent === 100 && isSplit(step)) {
      throw invalid(
        `a step of kind ${step.kind} comes after the candidate has all traffic: there is nothing left to split, so put it before`,
      );
    }
    if (step.kind !== "shift") continue;
    if (step.weightPercent < weightPercent) {
      throw invalid(
        `steps move from ${weightPercent} % back to ${step.weightPercent} %: weights only grow; a rollback is made by itself, or by declaring the former version`,
      );
    }
    weightPercent = step.weightPercent;
  }
}

function isSplit(step: Step): boolean {
  return (step.kind === "route" && step.matches.length > 0) || (step.kind === "mirror" && step.percent > 0);
}

/** While nobody can write, time is dear: nothing waits on purpose, all traffic moves at once, and a rollback lets people write again. */
function checkReadOnly(hook: Extract<Step, { readonly kind: "hook" }>, following: readonly Step[]): void {
  const name = JSON.stringify(hook.name);
  if (hook.undo === undefined) {
    throw invalid(
      `the hook ${name} starts a read-only moment and has no undo: after a rollback nobody could write, so name the hook that lets people write again`,
    );
  }
  const end = following.findIndex((step) => step.kind === "shift");
  const shift = following[end];
  if (shift?.kind !== "shift") {
    throw invalid(`no weight follows the hook ${name}, which starts a read-only moment: nothing would end it`);
  }
  const moment = following.slice(0, end);
  if (moment.some((step) => step.kind === "pause" && !step.isApproved)) {
    throw invalid("a pause comes after the read-only moment has begun: nobody could write until somebody approves it");
  }
  if (moment.some(isTimed)) {
    throw invalid(
      `time passes on purpose after the hook ${name} has started a read-only moment: put soaks and experiments before it`,
    );
  }
  if (shift.weightPercent !== 100) {
    throw invalid(
      `the read-only moment that the hook ${name} starts ends with ${shift.weightPercent} % of the traffic: those who stay with the old version still could not write, so move 100 %`,
    );
  }
}
