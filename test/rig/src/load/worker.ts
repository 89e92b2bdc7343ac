import { z } from "zod";
import { generate } from "./generate.ts";

const optionsSchema = z.strictObject({
  url: z.url(),
  ratePerSecond: z.number().positive().max(5_000),
  connections: z.enum(["new", "keptAlive"]),
  headers: z.record(z.string(), z.string()).exactOptional(),
  timeoutMs: z.number().positive(),
});

/** How often the parent hears of it. */
const reportEveryMs = 100;

// A process of its own, so that whatever the parent does cannot delay a request or its timing.
const load = generate(optionsSchema.parse(JSON.parse(process.argv[2] ?? "{}")));
const timer = setInterval(() => process.send?.({ kind: "progress", report: load.report() }), reportEveryMs);
process.on("message", () => {
  clearInterval(timer);
  void load.stop().then((report) => process.send?.({ kind: "final", report }, () => process.exit(0)));
});
// Without a parent nobody wants the load any more.
process.on("disconnect", () => process.exit(0));
