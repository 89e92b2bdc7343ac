import { isMainThread } from "node:worker_threads";
import { messageOf } from "@bascule/core";
import { runShadowThread } from "../shadow/shadow-thread.ts";
import { logTo } from "./log.ts";
import { startMirror } from "./mirror.ts";
import { readSettings } from "./settings.ts";

/** The program in the ConfigMap. Bundled into one file, it is run as the process and, a second time, as the thread that compares. */
if (isMainThread) await runProcess();
else runShadowThread();

async function runProcess(): Promise<void> {
  const log = logTo((line) => process.stdout.write(line));
  try {
    const mirror = await startMirror(readSettings(process.env), new URL(import.meta.url), log);
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
