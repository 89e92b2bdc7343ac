import { isTimed, type Step } from "./step.ts";

/** The index of the pause at which an update of these steps ends, or `undefined` when it goes to the end. */
export function openPauseIndex(steps: readonly Step[]): number | undefined {
  const index = steps.findIndex((step) => step.kind === "pause" && !step.isApproved);
  return index < 0 ? undefined : index;
}

/** The name of the pause at which an update of these steps ends. */
export function openPause(steps: readonly Step[]): string | undefined {
  const step = steps[openPauseIndex(steps) ?? -1];
  return step?.kind === "pause" ? step.name : undefined;
}

/** How long one update of these steps lasts on purpose, in milliseconds: to the first pause that is not approved. */
export function durationOf(steps: readonly Step[]): number {
  return steps
    .slice(0, openPauseIndex(steps) ?? steps.length)
    .reduce((sum, step) => sum + (isTimed(step) ? step.durationMs : 0), 0);
}
