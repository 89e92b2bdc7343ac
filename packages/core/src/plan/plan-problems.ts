import type { Probe } from "../probe.ts";
import type { Plan } from "./plan.ts";
import { isKeptInStep } from "./traffic.ts";

/** What counts of a probe here. */
type DeclaredProbe = Pick<Probe, "name" | "kind" | "targets"> & {
  /** The hook that measures for it. */
  readonly hook?: string | undefined;
};

/** What a program declares beside a plan. */
export interface PlanSurroundings {
  readonly probes: readonly DeclaredProbe[];
  /** The names of the hooks. */
  readonly hooks: readonly string[];
  /** Hooks that earlier updates left to be run on the way back. */
  readonly undo?: readonly string[];
}

/** Where probes are asked for. */
interface Place {
  readonly where: string;
  readonly side: "candidate" | "service";
  readonly isMirrored: boolean;
  readonly isInStep: boolean;
}

/**
 * What a plan asks for by name and would not get: a probe or a hook that nobody declares, or a probe that does not measure there.
 * A verification without probes would pass, so such a plan must not begin. Empty: nothing is wrong.
 */
export function planProblems(plan: Plan, { probes, hooks, undo = [] }: PlanSurroundings): readonly string[] {
  const problems: string[] = [];
  const known = (names: readonly string[]) => (names.length > 0 ? `those declared are ${names.join(", ")}` : "none is");
  const checkProbes = (names: readonly string[] | undefined, place: Place): void => {
    for (const name of names ?? []) {
      const named = probes.filter((probe) => probe.name === name);
      const why =
        named.length === 0
          ? `which is not declared: ${known(probes.map((probe) => probe.name))}`
          : named.map((probe) => whyUnmeasured(probe, place)).find((reason) => reason !== undefined);
      if (why !== undefined) problems.push(`${place.where} names the probe ${JSON.stringify(name)}, ${why}`);
    }
  };
  const checkHook = (name: string | undefined, where: string): void => {
    if (name === undefined || hooks.includes(name)) return;
    problems.push(`${where} names the hook ${JSON.stringify(name)}, which is not declared: ${known(hooks)}`);
  };

  let isMirrored = false;
  for (const [index, step] of plan.steps.entries()) {
    const where = `step ${index + 1}`;
    const isInStep = isKeptInStep(plan, index);
    if (step.kind === "mirror") isMirrored = step.percent > 0;
    if (step.kind === "shift" && step.weightPercent === 100) isMirrored = false;
    if (step.kind === "verify") checkProbes(step.probes, { where, side: step.target, isMirrored, isInStep });
    if (step.kind === "experiment")
      checkProbes(step.probes, { where, side: "candidate", isMirrored: false, isInStep: false });
    if (step.kind === "hook") {
      checkHook(step.name, where);
      checkHook(step.undo, where);
    }
  }
  checkProbes(plan.background?.probes, { where: "background", side: "service", isMirrored: false, isInStep: false });
  for (const probe of probes) {
    checkHook(probe.hook, `the probe ${JSON.stringify(probe.name)}`);
  }
  for (const name of undo) checkHook(name, "the pause where the last update ended");
  return problems;
}

function whyUnmeasured({ kind, targets }: DeclaredProbe, { side, isMirrored, isInStep }: Place): string | undefined {
  if (targets !== undefined && !targets.includes(side)) return `which does not measure the ${side}`;
  if (kind === "difference" && (side === "candidate" || !isMirrored))
    return "which measures the service only while requests are copied: put it after a mirror step";
  if (kind === "lag" && (side === "candidate" || !isInStep))
    return "which measures the service only while data is kept in step: put it after the hook that does so";
  return undefined;
}
