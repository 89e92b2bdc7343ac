import { mirrorOptionsSchema } from "@bascule/mirror";
import { z } from "zod";

const options = mirrorOptionsSchema.shape;

/** The image that the mirror's program runs in, where the user names none: Node 22.12 or later, and nothing else is needed. */
const defaultImage = "node:24-alpine";

/** How requests are copied in front of a Service. Which share of them is copied, the plan says. */
export const mirrorSpecSchema = z.strictObject({
  /** An image with Node 22.12 or later as `node` on its path. Default `node:24-alpine`. */
  image: z.string().min(1).default(defaultImage),
  /** Pods that pass requests on. All requests go through them, so one alone is a risk. Default 2. */
  replicas: z.int().min(1).max(1_000).default(2),
  /** The most that they may take to be ready, their image included. Default 120,000. */
  readyLimitMs: z.int().positive().default(120_000),
  unsafeMethods: options.unsafeMethods,
  compareHeaders: options.compareHeaders,
  ignore: options.ignore,
  maximumBodyBytes: options.maximumBodyBytes,
  shadowTimeoutMs: options.shadowTimeoutMs,
  maximumConcurrency: options.maximumConcurrency,
});
export type MirrorSpec = z.infer<typeof mirrorSpecSchema>;
