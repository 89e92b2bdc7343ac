import { createProgress } from "@bascule/rig";
import { planOf } from "./command-line.ts";
import { describeMachine } from "./machine.ts";
import { tablesOf, type BenchmarkResult } from "./report/markdown.ts";
import { writeReport } from "./report/write-report.ts";
import { measureRings } from "./rings/measure-rings.ts";
import { measureStack } from "./stack/measure-stack.ts";

const { parts, counts, rounds, isWhole } = planOf(process.argv.slice(2));
const progress = createProgress();
const machine = describeMachine();
// The run under way is interrupted too and fails, and everything that was deployed is removed on the way out.
process.once("SIGINT", () => progress("interrupted: cleaning up; once more leaves everything as it is"));

const rings = parts.has("engine") ? await measureRings(progress) : undefined;
const stack = parts.has("stack") ? await measureStack({ counts, rounds }, progress) : undefined;
const result: BenchmarkResult = {
  machine,
  ...(rings ? { rings } : {}),
  ...(stack ? { stack } : {}),
};
console.log(tablesOf(result));
if (isWhole) {
  await writeReport(result);
  progress("docs/benchmark.md and docs/benchmark.svg are written");
}
