import { z } from "zod";
import { BasculeError } from "../errors.ts";
import { parseInput } from "../parse-input.ts";
import type { ChangeWindow } from "../window.ts";
import { assignTargets, type Assignment } from "./assign-targets.ts";
import { describeProblem, type RingProblem } from "./ring-problem.ts";
import {
  longestReleaseMs,
  ringOptionsSchema,
  targetSchema,
  type OnRingFailure,
  type RingOptions,
  type RingSpec,
  type Target,
} from "./ring-options.ts";

/** A group of targets that are changed together, with every default filled in. */
export interface Ring {
  readonly name: string;
  readonly isPilot: boolean;
  /** The ids of its targets, in the order in which they begin. */
  readonly targets: readonly string[];
  readonly concurrency: number;
  /** How many of the targets may fail. */
  readonly failureBudget: number;
  readonly soakMs: number;
  readonly onFailure: OnRingFailure;
}

/** Who is changed when, and the limits of each wait. Plain data: what the preview shows is what runs. */
export interface RingPlan {
  readonly rings: readonly Ring[];
  /** The most that one call may take, in milliseconds. */
  readonly limits: {
    readonly observeMs: number;
    readonly applyMs: number;
    readonly rollBackMs: number;
    readonly verifyMs: number;
  };
  /** The most that the release may take before no new target begins, in milliseconds. */
  readonly deadlineMs: number;
  readonly window?: ChangeWindow;
}

const defaultLimits: RingPlan["limits"] = {
  observeMs: 10_000,
  applyMs: 600_000,
  rollBackMs: 600_000,
  verifyMs: 60_000,
};

/** Without its soaks, a release by rings is given an hour. */
const defaultDeadlineMs = 3_600_000;

const inputSchema = ringOptionsSchema.extend({
  targets: z.array(targetSchema).min(1, { error: "must have a target" }),
});

/**
 * Deals the targets out to the rings. The order in which the targets are listed does not matter; one whose id comes last in the
 * order of ids never moves another to a different ring, unless that is a ring that the options name it for.
 *
 * @throws BasculeError `invalid-input`: every wrong field, its value and the remedy
 */
export function planRings(targets: readonly Target[], options: RingOptions): RingPlan {
  const input = parseInput(inputSchema, { ...options, targets }, "Rings");
  const { rings: specs, limits, deadlineMs, window } = input;
  const soakedMs = specs.reduce((sum, { soakMs = 0 }) => sum + soakMs, 0);
  const assignment = assignTargets(input.targets, specs);
  const names = specs.map(({ name, pilot }, index) => name ?? (pilot ? "pilot" : `ring ${index + 1}`));
  refuse([
    ...wrongNames(names, specs),
    ...wrongPilots(specs),
    ...wrongDeadline(deadlineMs, soakedMs),
    ...assignment.problems,
    // A budget is compared with the size of its ring, which is known only when the assignment is right.
    ...(assignment.problems.length > 0 ? [] : wrongBudgets(specs, assignment)),
  ]);
  return {
    rings: specs.map((spec, index) => ringOf(spec, names[index] ?? "", assignment.rings[index] ?? [])),
    limits: {
      observeMs: limits?.observeMs ?? defaultLimits.observeMs,
      applyMs: limits?.applyMs ?? defaultLimits.applyMs,
      rollBackMs: limits?.rollBackMs ?? defaultLimits.rollBackMs,
      verifyMs: limits?.verifyMs ?? defaultLimits.verifyMs,
    },
    deadlineMs: deadlineMs ?? defaultDeadlineMs + soakedMs,
    ...(window ? { window } : {}),
  };
}

function ringOf(spec: RingSpec, name: string, targets: readonly string[]): Ring {
  const isPilot = spec.pilot === true;
  return {
    name,
    isPilot,
    targets,
    concurrency: spec.concurrency ?? 1,
    failureBudget: budgetOf(spec, targets.length),
    soakMs: spec.soakMs ?? 0,
    onFailure: isPilot ? "rollBackAll" : (spec.onFailure ?? "rollBackAll"),
  };
}

/** Rounded down, so that a small ring stops early rather than late. */
function budgetOf({ failureBudget = 0, pilot }: RingSpec, size: number): number {
  if (pilot) return 0;
  return typeof failureBudget === "number" ? failureBudget : Math.floor((size * failureBudget.percent) / 100);
}

function wrongNames(names: readonly string[], specs: readonly RingSpec[]): RingProblem[] {
  const first = new Map<string, number>();
  return names.flatMap((name, index) => {
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, index);
      return [];
    }
    // The one that the user wrote is the one to correct.
    const [wrong, other] = specs[index]?.name === undefined ? [before, index] : [index, before];
    const remedy = `rings[${other}] has this name too: give each ring a name of its own`;
    return [{ field: `rings[${wrong}].name`, value: name, remedy }];
  });
}

/** A pilot that is let off would not be one, so what contradicts it is refused rather than overruled in silence. */
function wrongPilots(specs: readonly RingSpec[]): RingProblem[] {
  return specs.flatMap((spec, index): RingProblem[] => {
    if (spec.pilot === undefined) return [];
    const { failureBudget, onFailure } = spec;
    const problems: RingProblem[] = [];
    if (index > 0) {
      problems.push({
        field: `rings[${index}].pilot`,
        value: true,
        remedy: "only the first ring can be the pilot: put this ring first, or remove pilot",
      });
    }
    if (failureBudget !== undefined && failureBudget !== 0) {
      problems.push({
        field: `rings[${index}].failureBudget`,
        value: failureBudget,
        remedy: "a pilot's first failure stops the release: remove failureBudget, or pilot",
      });
    }
    if (onFailure !== undefined && onFailure !== "rollBackAll") {
      problems.push({
        field: `rings[${index}].onFailure`,
        value: onFailure,
        remedy: "a pilot's failure rolls back everything: remove onFailure, or pilot",
      });
    }
    return problems;
  });
}

function wrongBudgets(specs: readonly RingSpec[], { rings }: Assignment): RingProblem[] {
  return specs.flatMap((spec, index) => {
    const size = rings[index]?.length ?? 0;
    const budget = budgetOf(spec, size);
    if (budget === 0 || budget < size) return [];
    const remedy = `the ring has ${size} ${size === 1 ? "target" : "targets"}, so all of them could fail: set it to ${size - 1} at the most, or to { percent }`;
    return [{ field: `rings[${index}].failureBudget`, value: spec.failureBudget, remedy }];
  });
}

function wrongDeadline(deadlineMs: number | undefined, soakedMs: number): RingProblem[] {
  if (deadlineMs === undefined) {
    if (soakedMs + defaultDeadlineMs <= longestReleaseMs) return [];
    const remedy = `no release may take longer than a week (${longestReleaseMs} ms): make the soaks shorter`;
    return [{ field: "the sum of rings[].soakMs", value: soakedMs, remedy }];
  }
  if (deadlineMs > soakedMs) return [];
  const remedy = `the soaks alone take ${soakedMs} ms: raise deadlineMs above that, or make the soaks shorter`;
  return [{ field: "deadlineMs", value: deadlineMs, remedy }];
}

/** With 10,000 targets one mistake may show in each; the first few tell enough. */
const shownProblems = 10;

function refuse(problems: readonly RingProblem[]): void {
  if (problems.length === 0) return;
  const left = problems.length - shownProblems;
  const shown = problems.slice(0, shownProblems).map(describeProblem).join("; ");
  throw new BasculeError(
    "invalid-input",
    `Rings: ${shown}${left > 0 ? `; and ${left} more of the kind` : ""}. Nothing was changed.`,
  );
}
