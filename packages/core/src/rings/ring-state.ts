import type { VersionId } from "../version.ts";
import type { PersistentList } from "./persistent-list.ts";
import type { RingPlan } from "./plan-rings.ts";
import type { RingReason } from "./ring-reason.ts";
import type { TargetMarker, TargetObservation } from "./target-marker.ts";

/** What one release by rings is about; fixed from its start. */
export interface RingRun {
  /** Unlike that of any other run, also of one that was tried before. */
  readonly id: string;
  readonly candidate: VersionId;
  readonly plan: RingPlan;
  /**
   * The runs that the caller's own records name as completed. Their markers mean nothing any more; any other marker is the trace of
   * a run that stopped half-way.
   */
  readonly completedRuns: readonly string[];
}

/** The change of one target; each of its actions carries it along, so that the state need not hold what is under way. */
export interface TargetWork {
  readonly target: string;
  /** The place of its ring in the plan, from 0. */
  readonly ring: number;
  /** What this run writes on the target. */
  readonly marker: TargetMarker;
  /** How the target was when it was last looked at. */
  readonly expects: TargetObservation;
  /** `false`: the candidate was there before, so that there is nothing to take back. */
  readonly isTouched: boolean;
  /** Counts the attempts of what is being done, from 1. */
  readonly attempt: number;
}

/** What the first look at a target gave; without an observation, it could not be reached. */
export interface TargetLook {
  readonly target: string;
  readonly ring: number;
  readonly observation?: TargetObservation;
  readonly message?: string;
}

/**
 * One thing that the interpreter does. Several may be under way at once; each is answered by one event. `delayMs` is how long to wait
 * before it.
 */
export type RingAction = LookAction | WorkAction | SoakAction;
export interface LookAction {
  readonly kind: "look";
  readonly target: string;
  readonly ring: number;
  readonly attempt: number;
  readonly delayMs: number;
}
export interface WorkAction {
  /**
   * `apply`: put the marker and the candidate on the target, if it is as expected. `rollBack`: put it back to the marker's origin and
   * remove the marker. `reobserve…`: after a write whose fate is not known, look how the target is, then go on.
   */
  readonly kind: "apply" | "verifyCandidate" | "rollBack" | "verifyOrigin" | "reobserveToApply" | "reobserveToRollBack";
  readonly work: TargetWork;
  readonly delayMs: number;
}
export interface SoakAction {
  readonly kind: "soak";
  readonly durationMs: number;
}

/** How an action ended. */
export type RingAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "observed"; readonly observation: TargetObservation }
  | { readonly kind: "verified"; readonly passed: boolean; readonly message: string }
  /** It failed, or was not done in time: a write may have happened all the same. */
  | { readonly kind: "failed"; readonly message: string }
  /** It was not even begun, and nothing new may begin. */
  | { readonly kind: "notBegun"; readonly reason: RingReason };

/** What happened. */
export type RingEvent =
  | { readonly kind: "started" }
  | { readonly kind: "answered"; readonly action: RingAction; readonly answer: RingAnswer }
  /** Something from outside lets no new target begin. */
  | { readonly kind: "interrupted"; readonly reason: RingReason };

/** What there is to tell about single targets so far, the newest first. */
export interface TargetNotes {
  readonly failed: PersistentList<TargetNote>;
  readonly stuck: PersistentList<TargetNote>;
  readonly unverified: PersistentList<TargetNote>;
}
export interface TargetNote {
  readonly target: string;
  readonly message: string;
}

/** What all phases that change targets carry on. */
interface Forward {
  readonly run: RingRun;
  readonly looks: ReadonlyMap<string, TargetLook>;
  readonly ring: number;
  /** The targets that the rings before left on the candidate. */
  readonly earlier: PersistentList<readonly TargetWork[]>;
  readonly failedInRing: number;
  readonly notes: TargetNotes;
  /** Why no new target begins. */
  readonly stopping?: RingReason;
}

/**
 * Where a release by rings stands, and what a crash there means for the next run:
 *
 * | phase | a crash here means |
 * |---|---|
 * | `looking` | nothing was touched |
 * | `changing`, `soaking`, `checking` | targets that were begun carry a marker with the version to go back to; the next run for the same candidate goes on, any other takes them over with that origin |
 * | `goingBack` | as `changing`: what is back already carries no marker |
 * | `completed` | markers stay, and count as traces of a crash until the caller's records name the run as completed |
 * | `stopped`, `unsettled` | markers stay on the targets that are not as before |
 * | `rolledBack`, `refused` | the run is over |
 */
export type RingState =
  | {
      readonly phase: "looking";
      readonly run: RingRun;
      /** The next target to look at. */
      readonly ring: number;
      readonly cursor: number;
      readonly underWay: number;
      readonly looks: PersistentList<TargetLook>;
      readonly stopping?: RingReason;
    }
  | (Forward & {
      readonly phase: "changing";
      readonly cursor: number;
      readonly underWay: number;
      readonly onCandidate: PersistentList<TargetWork>;
    })
  | (Forward & { readonly phase: "soaking"; readonly onCandidate: readonly TargetWork[] })
  | (Forward & {
      readonly phase: "checking";
      readonly toCheck: readonly TargetWork[];
      readonly cursor: number;
      readonly underWay: number;
      readonly onCandidate: PersistentList<TargetWork>;
    })
  | {
      readonly phase: "goingBack";
      readonly run: RingRun;
      readonly reason: RingReason;
      readonly scope: "rollBackRing" | "rollBackAll";
      /** By ring, the last one first: what was changed last goes back first. */
      readonly groups: readonly (readonly TargetWork[])[];
      readonly group: number;
      readonly cursor: number;
      readonly underWay: number;
      readonly notes: TargetNotes;
    }
  | RingOutcome;

/** What became of single targets. */
export interface RingReport {
  /** They were not given the candidate, or it did not work there; each is as before unless it is `stuck`. */
  readonly failed: readonly TargetNote[];
  /** They could not be put back: nobody knows how they are. */
  readonly stuck: readonly TargetNote[];
  /** They were put back, and could not be seen to work again. */
  readonly unverified: readonly TargetNote[];
}

/** How a release by rings ended. */
export type RingOutcome =
  /** Every ring passed: all targets but those that failed within the budgets are on the candidate, verified. */
  | { readonly phase: "completed"; readonly run: RingRun; readonly report: RingReport }
  /** No new target began; those that are on the candidate stay there until another run goes on or goes back. */
  | { readonly phase: "stopped"; readonly run: RingRun; readonly reason: RingReason; readonly report: RingReport }
  /** Every target is as it was before the release. */
  | { readonly phase: "rolledBack"; readonly run: RingRun; readonly reason: RingReason; readonly report: RingReport }
  /** Nothing was touched. */
  | { readonly phase: "refused"; readonly run: RingRun; readonly reason: RingReason }
  /** Targets could not be put back; their markers stay, and the next run goes on from them. */
  | { readonly phase: "unsettled"; readonly run: RingRun; readonly reason: RingReason; readonly report: RingReport };
