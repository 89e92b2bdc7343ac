import { planSchema, probeSchema } from "@bascule/core";
import { z } from "zod";

/** Grows when the meaning of the stored outputs changes, so that resources written by older code are updated once. */
export const protocol = 1;

/** What every platform's Cutover resource takes. Plain JSON; a platform extends it with `router`, its own part. */
export const cutoverInputsSchema = z.strictObject({
  protocol: z.literal(protocol),
  /** The name that users know the service by; also the resource's id. */
  release: z.string().min(1),
  /** The version that is to have the traffic. */
  candidate: z.string().min(1),
  /** The version that is declared beside the candidate, and that a rollback from a pause goes back to. */
  stable: z.string().min(1).optional(),
  plan: planSchema,
  probes: z.array(probeSchema),
  /** What the journal cites, by field; the `id` names the journal. */
  change: z.record(z.string(), z.string()).and(z.object({ id: z.string() })),
  /** The directory that journals are written to. Relative: to the Pulumi project. */
  journalDirectory: z.string().min(1),
});
export type CutoverInputs = z.infer<typeof cutoverInputsSchema>;
