/** Which requests go to the candidate whatever the weights are: those whose header has this value. */
export type HeaderMatch = { readonly header: string } & (
  { readonly exact: string } | { readonly prefix: string } | { readonly regex: string }
);

/** One step of a plan that was written for another tool. */
export type MigratedStep =
  | { readonly kind: "shift"; readonly weightPercent: number }
  | { readonly kind: "soak"; readonly durationMs: number }
  /** The old version stays there for so long once the candidate has everything. */
  | { readonly kind: "hold"; readonly durationMs: number }
  | { readonly kind: "verify"; readonly target: "candidate" | "service" }
  /** Until a later commit approves it. */
  | { readonly kind: "pause"; readonly name: string }
  | { readonly kind: "scale"; readonly replicas: number }
  /** A share of the release's replicas. */
  | { readonly kind: "scale"; readonly percent: number }
  /** From here on the size follows the weight again. */
  | { readonly kind: "scale"; readonly matchTraffic: true }
  /** Without a duration it lasts until its analyses have a verdict. */
  | { readonly kind: "experiment"; readonly durationMs?: number }
  /** Requests that match one of these go to the candidate; none ends that. */
  | { readonly kind: "route"; readonly name: string; readonly matches: readonly HeaderMatch[] }
  /** The share of requests that is copied to the candidate; 0 ends that. */
  | { readonly kind: "mirror"; readonly percent: number };

/** What another tool's manifest means here, from the candidate's verification to its promotion. */
export interface MigratedPlan {
  readonly strategy: "progressive" | "blueGreen";
  readonly steps: readonly MigratedStep[];
  /** What the steps do not say, and where it belongs; nothing of the manifest is dropped in silence. */
  readonly notes: readonly string[];
}

export const verifyCandidate: MigratedStep = { kind: "verify", target: "candidate" };
export const verifyService: MigratedStep = { kind: "verify", target: "service" };
export const promote: MigratedStep = { kind: "shift", weightPercent: 100 };

/** One note for each field of the manifest that the steps do not carry over. */
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
