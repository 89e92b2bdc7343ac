import { z } from "zod";

const testResult = z.object({
  status: z.string(),
  assertionResults: z.array(z.unknown()),
});

const jsonReport = z.object({
  numPassedTests: z.int().nonnegative(),
  numFailedTests: z.int().nonnegative(),
  numPendingTests: z.int().nonnegative(),
  numTodoTests: z.int().nonnegative(),
  success: z.boolean(),
  testResults: z.array(testResult),
});

/** How many tests ended how. A file that could not be loaded counts as one failed test. */
export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  /** Tests that were not run: skipped or still to be written. */
  readonly skipped: number;
}

/** Reads the report that Vitest's JSON reporter wrote. Throws when it is not such a report. */
export function readTestReport(text: string): TestTotals {
  const report = jsonReport.parse(JSON.parse(text));
  const unloadedFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + unloadedFiles;
  return {
    passed: report.numPassedTests,
    // A run can fail with every test passed, for instance by a promise that was rejected after the last test.
    failed: report.success ? failed : Math.max(failed, 1),
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
