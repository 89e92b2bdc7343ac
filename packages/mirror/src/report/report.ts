import { z } from "zod";

const count = z.int().min(0);
const milliseconds = z.number().min(0);

const differenceSchema = z.object({
  method: z.string(),
  /** Without the query; what could name somebody is replaced by `{…}`. */
  path: z.string(),
  /** `missing`: the shadow gave no whole answer. */
  what: z.enum(["status", "header", "body", "missing"]),
  /** The path within a JSON body, with `[*]` for every index, or the name of the header. */
  at: z.string().optional(),
  /** What kind of thing the primary answered, never the thing itself: a status, a JSON type, `present`, `bytes`. */
  primary: z.string().optional(),
  /** The same of the shadow; for `missing` how it failed. */
  shadow: z.string().optional(),
  /** How many pairs of answers differed so. */
  count: z.int().positive(),
});

/** One way in which answers differed. It holds no content: neither values nor queries. */
export type Difference = z.infer<typeof differenceSchema>;

/** How one pair of answers differs, apart from the request it belongs to. */
export type AnswerDifference = Pick<Difference, "what" | "at" | "primary" | "shadow">;

const latencyPairSchema = z.object({ primaryMs: milliseconds, shadowMs: milliseconds });

/** How long the two versions took to begin their answers to the same request, from the moment it was sent whole, in milliseconds. */
export type LatencyPair = z.infer<typeof latencyPairSchema>;

/**
 * What a mirror has counted since it started. `mirrored` is `compared + notCompared + shadowFailed` and the copies under way.
 */
export const mirrorReportSchema = z.object({
  /** Requests that came in. */
  seen: count,
  /** Of these, requests chosen for a copy. */
  mirrored: count,
  /** Pairs of whole answers that were compared. */
  compared: count,
  /** Of these, pairs that differed. */
  differed: count,
  /** Chosen, but too large, too many at once, given up by the client or not answered by the primary. */
  notCompared: count,
  /** Chosen and answered by the primary, but not by the shadow: refused, cut or too late. */
  shadowFailed: count,
  /** Requests to which the primary gave no answer: the client got 502, or a connection that was cut. */
  primaryFailed: count,
  /** The latest pairs compared, at most 1,000 of each mirror. */
  samples: z.array(latencyPairSchema),
  /** Examples, each way to differ once, in the order in which they were first seen. */
  differences: z.array(differenceSchema),
});
export type MirrorReport = z.infer<typeof mirrorReportSchema>;
