import { describeWeights, withTraffic, type Weights } from "../weights.ts";
import type { PlanBeginning } from "./begin-plan.ts";
import { durationOf, openPause } from "./pauses.ts";
import type { Plan } from "./plan.ts";
import type { DeclaredVersions } from "./rest.ts";

/** Why a plan may not be taken up where the world is. */
export interface PlanRefusal {
  readonly code: "stable-not-declared" | "budget-exceeded";
  readonly message: string;
}

/** What stands in the way of a plan that begins like this, if anything does. */
export function planRefusal(
  declared: DeclaredVersions,
  { plan, firstStep, goBackTo }: Pick<PlanBeginning, "plan" | "firstStep" | "goBackTo">,
): PlanRefusal | undefined {
  return undeclaredStable(declared, plan, goBackTo) ?? overBudget(plan, firstStep);
}

/** Whatever the program does not declare is deleted when the update ends well; at a pause, it would still have traffic. */
function undeclaredStable(
  { candidate, stable }: DeclaredVersions,
  plan: Plan,
  goBackTo: Weights,
): PlanRefusal | undefined {
  const pause = openPause(plan.steps);
  const others = Object.keys(withTraffic(goBackTo)).filter((version) => version !== candidate && version !== stable);
  if (pause === undefined || others.length === 0) return undefined;
  return {
    code: "stable-not-declared",
    message: `The plan pauses at ${JSON.stringify(pause)}, and ${describeWeights(goBackTo)} is in service but not declared as stable, so it would be deleted with traffic on it. Declare it as stable, or approve the pause.`,
  };
}

function overBudget(plan: Plan, firstStep: number): PlanRefusal | undefined {
  const lastsMs = durationOf(plan.steps.slice(firstStep));
  if (plan.runBudgetMs === undefined || lastsMs <= plan.runBudgetMs) return undefined;
  return {
    code: "budget-exceeded",
    message: `The steps of this update last ${lastsMs / 1000} s on purpose, more than runBudgetMs = ${plan.runBudgetMs}. Approve one pause at a time, or raise runBudgetMs if your pipeline runs that long.`,
  };
}
