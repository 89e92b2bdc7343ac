import type { Step } from "../plan/step.ts";

/** Arguments of the component, and options of `planOf`; what is left out has its default there. */
interface MigratedOptions {
  readonly steps?: readonly Step[];
  readonly promotion?: "approved";
  readonly previewReplicas?: number;
  readonly holdMs?: number;
  readonly fastTrackChanges?: number;
}

/** What another tool's manifest means here. */
export interface MigratedPlan {
  /** Which component releases so: `ProgressiveDeployment` or `BlueGreenDeployment`. */
  readonly strategy: "progressive" | "blueGreen";
  readonly options: MigratedOptions;
  /** What the options do not say, and where it belongs; nothing of the manifest is dropped in silence. */
  readonly notes: readonly string[];
}

/** The last weight of steps, in per cent. */
export function weightAfter(steps: readonly Step[]): number {
  return steps.findLast((step) => step.kind === "shift")?.weightPercent ?? 0;
}

/** One note for each field of the manifest that the options do not carry over. */
export function notesOn(
  manifest: Readonly<Record<string, unknown>>,
  carriedOver: readonly string[],
  explanations: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(manifest)
    .filter(([field, value]) => value !== undefined && value !== null && !carriedOver.includes(field))
    .map(([field]) => {
      const explanation = Object.hasOwn(explanations, field) ? explanations[field] : undefined;
      return `${field}: ${explanation ?? "not carried over"}`;
    });
}
