import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Step, TestStep } from "./steps.ts";
import { readTestReport, type TestTotals } from "./test-report.ts";

/** How a step ended. */
export interface StepOutcome {
  /** Why the step does not hold; undefined when it holds. */
  readonly failure: string | undefined;
  /** What the command printed, standard output and errors in the order they came. */
  readonly output: string;
  /** Only of a step that runs tests. */
  readonly totals: TestTotals | undefined;
}

/** Where a step runs and what it may write to. */
export interface StepContext {
  readonly root: string;
  /** An existing directory for reports. */
  readonly reports: string;
  /** Called with each line that the command prints. */
  readonly onLine: (line: string) => void;
}

/** Runs one step to its end. Does not throw when the step fails: the outcome says why. */
export async function runStep(step: Step, context: StepContext): Promise<StepOutcome> {
  const reportFile = join(context.reports, `${step.name.replaceAll(" ", "-")}.json`);
  const [program, ...parameters] = step.kind === "command" ? step.command : vitestCommand(step, reportFile);
  const run = execa(program, parameters, {
    cwd: context.root,
    preferLocal: true,
    localDir: context.root,
    stdin: "ignore",
    all: true,
    reject: false,
    timeout: step.timeLimitMinutes * 60_000,
    forceKillAfterDelay: 20_000,
    maxBuffer: 200_000_000,
  });
  for await (const line of run.iterable({ from: "all" })) context.onLine(line);
  const result = await run;
  const commandFailure = describeFailure(step, result);
  if (step.kind === "command") return { failure: commandFailure, output: result.all, totals: undefined };

  try {
    const totals = readTestReport(await readFile(reportFile, "utf8"));
    return { failure: commandFailure ?? describeTotals(step, totals), output: result.all, totals };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const failure = commandFailure ?? `the ${step.name} left no report that can be read: ${reason}`;
    return { failure, output: result.all, totals: { passed: 0, failed: 1, skipped: 0 } };
  }
}

function vitestCommand(step: TestStep, reportFile: string): [string, ...string[]] {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  return ["vitest", "run", "--project", step.project, ...reporters];
}

function describeFailure(
  step: Step,
  result: { failed: boolean; timedOut: boolean; exitCode?: number | undefined; shortMessage?: string | undefined },
): string | undefined {
  if (!result.failed) return undefined;
  if (result.timedOut) return `${step.name} took longer than its limit of ${String(step.timeLimitMinutes)} minutes`;
  if (result.exitCode === undefined) return `${step.name} did not end by itself: ${result.shortMessage ?? "killed"}`;
  return `${step.name} ended with exit code ${String(result.exitCode)}`;
}

function describeTotals(step: TestStep, totals: TestTotals): string | undefined {
  if (totals.failed > 0) return `${step.name}: ${String(totals.failed)} failed`;
  if (totals.skipped > 0) return `${step.name}: ${String(totals.skipped)} were skipped, and every test must run`;
  if (totals.passed === 0) return `${step.name}: the project "${step.project}" of vitest.config.ts has no test`;
  return undefined;
}
