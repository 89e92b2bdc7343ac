import { z } from "zod";
import { parseInput } from "../parse-input.ts";

const error = 'must be a whole number of Pods such as 1, or a percentage from "0%" to "100%"';

/** A number of Pods, or a share of the declared replicas such as `25%`. YAML leaves it to the writer whether a number is quoted. */
const limitSchema = z.union(
  [z.int().min(0, { error }), z.string().regex(/^(?:(?:\d|[1-9]\d|100)%|\d{1,6})$/, { error })],
  {
    error,
  },
);

/** How far the Pods of a release may go beyond and below the declared replicas, as the user writes it. */
export const replicaLimitsSchema = z.strictObject({
  /** Pods beyond the declared replicas, of both versions together; a percentage is rounded up. Default `25%`. */
  maxSurge: limitSchema.optional(),
  /** Pods that may be missing from the declared replicas, of both versions together; a percentage is rounded down. Default `25%`. */
  maxUnavailable: limitSchema.optional(),
});
export type ReplicaLimitOptions = z.input<typeof replicaLimitsSchema>;

/** The limits of one release, in Pods. */
export interface ReplicaLimits {
  /** The declared replicas of the release. */
  readonly total: number;
  /** Both versions together have `total + surge` Pods at the most. */
  readonly surge: number;
  /** Both versions together have `total - unavailable` available Pods at least. */
  readonly unavailable: number;
}

const totalSchema = z.strictObject({ total: z.int().min(0, { error: "must not be negative" }) });
const defaultLimit = "25%";

/**
 * The limits in Pods. When both come to 0, one Pod may be unavailable, since nothing could be exchanged otherwise. The rounding and
 * the defaults are those of Kubernetes and of Argo Rollouts (utils/defaults/defaults.go, ResolveFenceposts).
 *
 * @throws BasculeError `invalid-input`: the limit, its value and what it may be
 */
export function replicaLimitsOf(total: number, options: ReplicaLimitOptions = {}): ReplicaLimits {
  parseInput(totalSchema, { total }, "Replicas");
  const { maxSurge = defaultLimit, maxUnavailable = defaultLimit } = parseInput(
    replicaLimitsSchema,
    options,
    "The limits of the replicas",
  );
  const surge = podsOf(maxSurge, total, Math.ceil);
  const unavailable = podsOf(maxUnavailable, total, Math.floor);
  return { total, surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function podsOf(limit: number | string, total: number, round: (pods: number) => number): number {
  if (typeof limit === "number") return limit;
  return limit.endsWith("%") ? round((Number(limit.slice(0, -1)) * total) / 100) : Number(limit);
}
