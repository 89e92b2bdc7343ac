import { z } from "zod";
import { parseInput } from "../parse-input.ts";
import { replicaLimitsOf, type ReplicaLimitOptions } from "./replica-limits.ts";

/** How many Pods each version has. */
export interface ReplicaCounts {
  readonly stable: number;
  readonly candidate: number;
}

/** What is asked of the sizes of two versions that share their traffic by the number of their Pods. */
export interface ReplicaShare extends ReplicaLimitOptions {
  /** The declared replicas of the release. */
  readonly total: number;
  /** The share of traffic that the candidate is to have, 0 to 100. */
  readonly weightPercent: number;
}

const weightSchema = z.strictObject({ weightPercent: z.number().min(0).max(100) });

/**
 * The sizes whose ratio comes nearest to a weight. The Pods add up to `total`, or to one more if there is a surge and the ratio is
 * nearer then. Of two sizes that are equally near, the one without the additional Pod is taken, then the one with the larger
 * candidate. A weight between 0 and 100 gives neither version 0 Pods, unless there can be only one Pod.
 *
 * This is what Argo Rollouts does without a traffic router (utils/replicaset/canary.go,
 * approximateWeightedCanaryStableReplicaCounts).
 *
 * @throws BasculeError `invalid-input`: the field, its value and what it may be
 */
export function planReplicaCounts({ total, weightPercent, ...options }: ReplicaShare): ReplicaCounts {
  parseInput(weightSchema, { weightPercent }, "Replicas");
  const { surge } = replicaLimitsOf(total, options);
  if (total === 0 || weightPercent === 0) return { stable: total, candidate: 0 };
  if (weightPercent === 100) return { stable: 0, candidate: total };

  const sums = surge > 0 ? [total, total + 1] : [total];
  const splits = sums.flatMap((sum) => {
    const exact = (sum * weightPercent) / 100;
    return [Math.ceil(exact), Math.floor(exact)].map((candidate) => ({ stable: sum - candidate, candidate }));
  });
  const canServeBoth = total + surge > 1;
  return splits
    .filter(({ stable, candidate }) => !canServeBoth || (stable > 0 && candidate > 0))
    .reduce((best, split) => (isNearer(split, best, weightPercent) ? split : best));
}

/** Without a division, so that rounding never decides between two that are equally near. */
function isNearer(one: ReplicaCounts, other: ReplicaCounts, weightPercent: number): boolean {
  const missBy = ({ candidate }: ReplicaCounts, sum: number) => Math.abs(100 * candidate - weightPercent * sum);
  const [sum, otherSum] = [one.stable + one.candidate, other.stable + other.candidate];
  return missBy(one, sum) * otherSum < missBy(other, otherSum) * sum;
}
