import { isMainThread, workerData } from "node:worker_threads";
import { messageOf } from "@bascule/core";
import { z } from "zod";
import { mirrorOptionsSchema } from "../options.ts";
import { runComparisonThread } from "../shadow/comparison-thread.ts";
import { runShadowThread } from "../shadow/shadow-thread.ts";
import { logTo } from "./log.ts";
import { startMirror } from "./mirror.ts";
import { readSettings } from "./settings.ts";

const program = new URL(import.meta.url);
const log = logTo((line) => process.stdout.write(line));
const threadSchema = z.object({ role: z.enum(["shadow", "comparison"]), settings: mirrorOptionsSchema });

/** The program in the ConfigMap: one file, which is run as the process and, again, as each of its threads. */
if (isMainThread) await runProcess();
else runThread();

async function runProcess(): Promise<void> {
  try {
    const mirror = await startMirror(readSettings(process.env), program, log);
    log("listening", { port: mirror.port, adminPort: mirror.adminPort });
    const end = () => {
      log("told to end; draining");
      void mirror.stop().then(() => process.exit(0));
    };
    process.once("SIGTERM", end);
    process.once("SIGINT", end);
  } catch (thrown) {
    process.stderr.write(`${messageOf(thrown)}\n`);
    process.exit(1);
  }
}

function runThread(): void {
  const { role, settings } = threadSchema.parse(workerData);
  if (role === "shadow") runShadowThread(settings, program, log);
  else runComparisonThread(settings);
}
