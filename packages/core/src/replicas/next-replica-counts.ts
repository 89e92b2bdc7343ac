import { BasculeError } from "../errors.ts";
import type { ReplicaCounts } from "./plan-replica-counts.ts";
import type { ReplicaLimits } from "./replica-limits.ts";

/** What is known of one version's Pods. */
export interface ObservedReplicas {
  /** How many Pods it is asked to have. */
  readonly wanted: number;
  /** How many of its Pods can serve now, without those that are ending; more than wanted until the cluster has noticed that it shrinks. */
  readonly available: number;
}

/** What is known of the Pods of both versions. */
export interface ObservedReplicaCounts {
  readonly stable: ObservedReplicas;
  readonly candidate: ObservedReplicas;
}

/** What to ask for next on the way to a target. */
export interface NextReplicaCounts {
  /** The sizes to ask for now; those that are wanted already when there is nothing to do but wait. */
  readonly sizes: ReplicaCounts;
  /**
   * Whether the target is reached: both versions are asked for their sizes, all Pods of the candidate are available, and the
   * stable version serves with no more than its own. A stable version with sick Pods does not hold up a candidate that may be its
   * remedy; but without a candidate, it has to have as many available as the limits ask for, and one at the least.
   */
  readonly isReached: boolean;
}

/**
 * The next sizes on the way from what is observed to the target. The Pods asked for, and those that serve beyond that, never
 * sum to more than `total + surge`; the available ones never fall below `total - unavailable` by what is asked for here. Within these
 * limits the stable version grows first, then the candidate, and what has too many shrinks. Shrinking a version waits for the other
 * one alone, never for its own health, since Kubernetes ends the Pods first that are not available. So whenever Pods become
 * available, the next sizes are nearer to the target, and going back depends on the stable version only.
 *
 * Where the limits are overstepped already, because they have changed, Pods that are not available go first.
 *
 * @param target sizes that the limits allow, such as `planReplicaCounts` gives with the same limits
 * @throws BasculeError `invalid-input` for a target outside of the limits, which could never be reached
 */
export function nextReplicaCounts(
  current: ObservedReplicaCounts,
  target: ReplicaCounts,
  limits: ReplicaLimits,
): NextReplicaCounts {
  const most = limits.total + limits.surge;
  const least = Math.max(0, limits.total - limits.unavailable);
  checkTarget(target, least, most);
  const { stable, candidate } = current;

  const room = Math.max(0, most - presentOf(stable) - presentOf(candidate));
  const stableGrowth = clamp(target.stable - stable.wanted, 0, room);
  const candidateGrowth = clamp(target.candidate - candidate.wanted, 0, room - stableGrowth);
  const shrunkCandidate = shrunk(candidate.wanted, target.candidate, least - servingOf(stable, stable.wanted));
  const shrunkStable = shrunk(stable.wanted, target.stable, least - servingOf(candidate, shrunkCandidate));
  const sizes = withinMost(current, most, {
    stable: shrunkStable + stableGrowth,
    candidate: shrunkCandidate + candidateGrowth,
  });
  return { sizes, isReached: isReached(current, target, least) };
}

function checkTarget({ stable, candidate }: ReplicaCounts, least: number, most: number): void {
  const sum = stable + candidate;
  if (sum >= least && sum <= most) return;
  throw new BasculeError(
    "invalid-input",
    `${stable} Pods of the stable version and ${candidate} of the candidate are ${sum}, but the limits allow ${least} to ${most}: raise maxSurge or maxUnavailable, or ask for sizes that sum to the declared replicas.`,
  );
}

/** Pods that take up room: those asked for, and those that serve beyond that. */
function presentOf({ wanted, available }: ObservedReplicas): number {
  return Math.max(wanted, available);
}

/** How many Pods still serve for certain when a version is asked for `size`. */
function servingOf({ available }: ObservedReplicas, size: number): number {
  return Math.min(available, size);
}

/** As near to the target from above as the other version allows, which cannot spare more than `needed` Pods. */
function shrunk(wanted: number, target: number, needed: number): number {
  return Math.min(wanted, Math.max(target, needed));
}

/** Cuts what exceeds the limit from the Pods that are not available, the candidate's first. */
function withinMost(current: ObservedReplicaCounts, most: number, { stable, candidate }: ReplicaCounts): ReplicaCounts {
  const fromCandidate = clamp(stable + candidate - most, 0, candidate - servingOf(current.candidate, candidate));
  const left = stable + candidate - fromCandidate - most;
  const fromStable = clamp(left, 0, stable - servingOf(current.stable, stable));
  return { stable: stable - fromStable, candidate: candidate - fromCandidate };
}

function clamp(value: number, lowest: number, highest: number): number {
  return Math.min(Math.max(value, lowest), highest);
}

function isReached({ stable, candidate }: ObservedReplicaCounts, target: ReplicaCounts, least: number): boolean {
  const isAskedFor = stable.wanted === target.stable && candidate.wanted === target.candidate;
  const isServing = candidate.available === target.candidate && stable.available <= target.stable;
  const needed = Math.max(least, Math.min(1, target.stable));
  return isAskedFor && isServing && (target.candidate > 0 || stable.available >= needed);
}
