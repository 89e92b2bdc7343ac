import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runStep } from "./verification/run-step.ts";
import { steps } from "./verification/steps.ts";

const heartbeatSeconds = 30;

const startedAtMs = Date.now();
const reports = await mkdtemp(join(tmpdir(), "bascule-verify-"));
let passed = 0;
let failed = 0;
try {
  for (const step of steps) {
    const stepStartedAtMs = Date.now();
    let lastLine = "";
    // A long step that prints nothing looks like one that hangs.
    const heartbeat = setInterval(() => {
      print(`  … ${step.name.padEnd(18)} ${elapsed(stepStartedAtMs)}  ${lastLine}`);
    }, heartbeatSeconds * 1000);
    const outcome = await runStep(step, {
      root: fileURLToPath(new URL("..", import.meta.url)),
      reports,
      onLine: (line) => {
        if (line.trim() !== "") lastLine = line.trim();
      },
    }).finally(() => {
      clearInterval(heartbeat);
    });
    passed += outcome.totals?.passed ?? 0;
    failed += outcome.totals?.failed ?? 0;
    const count = outcome.totals === undefined ? "" : `  ${String(outcome.totals.passed)} passed`;
    print(`${outcome.failure === undefined ? "✓" : "✗"} ${step.name.padEnd(20)} ${elapsed(stepStartedAtMs)}${count}`);
    if (outcome.failure !== undefined) {
      print(`\n${outcome.output}\n\nStopped: ${outcome.failure}`);
      // A check that is no test counts too, so that the last line never reads like a success.
      failed = Math.max(failed, 1);
      break;
    }
  }
} finally {
  await rm(reports, { recursive: true, force: true });
}
print(`\nAll in ${elapsed(startedAtMs).trim()}.`);
print(`${String(passed)} passed, ${String(failed)} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function elapsed(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1).padStart(7)} s`;
}
