import type { Probe } from "../probe.ts";
import type { Plan } from "./plan.ts";

/** What a program declares beside a plan. */
export interface PlanSurroundings {
  readonly probes: readonly Pick<Probe, "name" | "kind" | "targets">[];
  /** The names of the hooks. */
  readonly hooks: readonly string[];
  /** Hooks that earlier updates left to be run on the way back. */
  readonly undo?: readonly string[];
}

/**
 * What a plan asks for by name and would not get: a probe or a hook that nobody declares, or a probe that does not measure there.
 * A verification without probes would pass, so such a plan must not begin. Empty: nothing is wrong.
 */
export function planProblems(plan: Plan, { probes, hooks, undo = [] }: PlanSurroundings): readonly string[] {
  const problems: string[] = [];
  let isMirrored = false;
  const known = (names: readonly string[]) => (names.length > 0 ? `those declared are ${names.join(", ")}` : "none is");

  const checkProbes = (names: readonly string[] | undefined, where: string, side: "candidate" | "service"): void => {
    for (const name of names ?? []) {
      const named = probes.filter((probe) => probe.name === name);
      if (named.length === 0) {
        problems.push(
          `${where} names the probe ${JSON.stringify(name)}, which is not declared: ${known(probes.map((probe) => probe.name))}`,
        );
      } else if (named.every(({ targets }) => targets !== undefined && !targets.includes(side))) {
        problems.push(`${where} names the probe ${JSON.stringify(name)}, which does not measure the ${side}`);
      } else if (named.every(({ kind }) => kind === "difference") && (side === "candidate" || !isMirrored)) {
        problems.push(
          `${where} names the probe ${JSON.stringify(name)}, which measures only while requests are copied: put it after a mirror step`,
        );
      }
    }
  };
  const checkHook = (name: string | undefined, where: string): void => {
    if (name === undefined || hooks.includes(name)) return;
    problems.push(`${where} names the hook ${JSON.stringify(name)}, which is not declared: ${known(hooks)}`);
  };

  for (const [index, step] of plan.steps.entries()) {
    const where = `step ${index + 1}`;
    if (step.kind === "mirror") isMirrored = step.percent > 0;
    if (step.kind === "shift" && step.weightPercent === 100) isMirrored = false;
    if (step.kind === "verify") checkProbes(step.probes, where, step.target);
    if (step.kind === "experiment") checkProbes(step.probes, where, "candidate");
    if (step.kind === "hook") {
      checkHook(step.name, where);
      checkHook(step.undo, where);
    }
  }
  isMirrored = false;
  checkProbes(plan.background?.probes, "background", "service");
  for (const name of undo) checkHook(name, "the pause where the last update ended");
  return problems;
}
