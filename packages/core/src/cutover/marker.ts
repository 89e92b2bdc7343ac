import { z } from "zod";

const weights = z.record(z.string(), z.number().min(0).max(100));

/** Who runs a transaction. */
const ownerSchema = z.strictObject({
  host: z.string(),
  processId: z.int().positive(),
  /** Tells two processes with the same id apart, for example the boot id and the start time. */
  processStart: z.string(),
});
export type Owner = z.infer<typeof ownerSchema>;

/** Where a rollback goes: how the router was before the transaction, or the stable version alone when it was between two. */
const originSchema = z.strictObject({
  weights,
  /** The router adapter's own notes about the object's former shape, opaque to everyone else; who has the traffic is told by `weights`. */
  shape: z.string(),
  /** `false` when it is known that nobody answered for it. */
  served: z.literal(false).exactOptional(),
  /** `true`: the object rested at a pause, and a rollback does not go back there: the pause's rules and its note go too. */
  leavesRest: z.literal(true).exactOptional(),
});
export type Origin = z.infer<typeof originSchema>;

/**
 * The note that a transaction leaves on the router object before its first shift. Whoever finds it knows that traffic may be
 * on its way, where it came from, and who was moving it.
 */
export const markerSchema = z.strictObject({
  transaction: z.string(),
  candidate: z.string(),
  /** `null`: the router object did not exist before. */
  origin: originSchema.nullable(),
  /** The index of the plan's step that was last begun. */
  step: z.int().min(0),
  /** The hooks that take back what was done, in the order in which they have to run. */
  undo: z.array(z.string()).exactOptional(),
  /** A candidate that rested at a pause which this transaction gives up first; clients may be connected to it. */
  givenUp: z.string().exactOptional(),
  /** Nobody can write: since when, in milliseconds since 1970, and how many undo hooks were there before the one that ends it. */
  readOnly: z.strictObject({ sinceMs: z.number(), undoBefore: z.int().min(0) }).exactOptional(),
  /** Grows by one with each claim; a writer with a lower number is late and refused. */
  fencing: z.int().positive(),
  owner: ownerSchema,
  /** Milliseconds since 1970. Past it the owner counts as gone, unless it renewed the lease. */
  leaseUntilMs: z.number(),
});
export type Marker = z.infer<typeof markerSchema>;
