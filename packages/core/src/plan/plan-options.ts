import type { Affinity, Plan } from "./plan.ts";
import type { Step } from "./step.ts";

/** What a user may say about a plan; a strategy has a default for each. */
export interface PlanOptions {
  /** The steps between the candidate's verification and its promotion. Progressive and parallel only. */
  readonly steps?: readonly Step[] | undefined;
  /**
   * Steps after the hold, such as a hook that ends a reverse synchronisation: from there on going back is for the next change.
   * One that fails still rolls back. Progressive and parallel only.
   */
  readonly closing?: readonly Step[] | undefined;
  /** `matchTraffic`: the candidate is as large as its weight asks for. Default `full`: as large as declared all the while. */
  readonly sizing?: "full" | "matchTraffic" | undefined;
  /** Names of the pauses that are approved. */
  readonly approved?: readonly string[] | undefined;
  /** Whether the candidate is promoted by itself, or waits for the approval of the pause `promote`. Default `automatic`. */
  readonly promotion?: "automatic" | "approved" | undefined;
  /** The candidate's Pods while it has no traffic. Default: full size. */
  readonly previewReplicas?: number | undefined;
  /** Default 5,000; none for `direct`. */
  readonly holdMs?: number | undefined;
  /** Default 600,000 plus all times and limits that the steps name. */
  readonly deadlineMs?: number | undefined;
  /** Default 10,000. */
  readonly propagationLimitMs?: number | undefined;
  /** The most that the steps of one update may last on purpose. Default 3,600,000: pipelines end a job that goes on for long. */
  readonly runBudgetMs?: number | undefined;
  readonly scaleLimitMs?: number | undefined;
  /** The most that the moment in which nobody can write may take. Default 60,000 where there is one. */
  readonly readOnlyLimitMs?: number | undefined;
  /**
   * The probes that go on during every step from one on. `startingStep` counts `steps` from 0; where a strategy takes none, it
   * counts the steps of its plan. Default 0. Default probes: all that ask the service.
   */
  readonly background?:
    { readonly startingStep?: number | undefined; readonly probes?: readonly string[] | undefined } | undefined;
  readonly fastTrackChanges?: number | undefined;
  readonly affinity?: Affinity | undefined;
  readonly window?: Plan["window"] | undefined;
}
