import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { LoadOptions } from "./generate.ts";
import { emptyReport, type LoadReport } from "./load-report.ts";

/** A load that runs in a process of its own. */
export interface Load {
  /** What was seen so far; at most a tenth of a second old. */
  statistics(): LoadReport;
  /** Ends it, after the last answers have come. */
  stop(): Promise<LoadReport>;
}

const reportSchema: z.ZodType<LoadReport> = z.object({
  sent: z.number(),
  ok: z.number(),
  bad: z.number(),
  lost: z.number(),
  byVersion: z.record(z.string(), z.number()),
  badWindowMs: z.number(),
  slowestMs: z.number(),
  badRequests: z.array(
    z.object({
      atMs: z.number(),
      kind: z.enum(["lost", "bad"]),
      version: z.string().exactOptional(),
      message: z.string(),
    }),
  ),
});
const messageSchema = z.object({ kind: z.enum(["progress", "final"]), report: reportSchema });

const stopLimitMs = 20_000;

/** Starts sending requests at a constant rate. Default time-out 5,000 ms. */
export function startLoad(options: Omit<LoadOptions, "timeoutMs"> & { readonly timeoutMs?: number }): Load {
  const worker = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [
    JSON.stringify({ timeoutMs: 5_000, ...options }),
  ]);
  let latest = emptyReport;
  const final = new Promise<LoadReport>((resolve, reject) => {
    worker.on("message", (message) => {
      const { kind, report } = messageSchema.parse(message);
      latest = report;
      if (kind === "final") resolve(report);
    });
    worker.on("exit", (code) => reject(new Error(`The load ended by itself with code ${code}.`)));
  });
  // Who never calls stop hears of an early end when it does.
  final.catch(() => {});
  return {
    statistics: () => latest,
    stop: async () => {
      const timer = setTimeout(() => worker.kill("SIGKILL"), stopLimitMs);
      if (worker.connected) worker.send("stop");
      return final.finally(() => clearTimeout(timer));
    },
  };
}
