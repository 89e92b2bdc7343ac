import { expect, test } from "vitest";
import { readTestReport } from "./test-report.ts";

const allPassed = {
  numPassedTests: 2,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  success: true,
  testResults: [{ status: "passed", assertionResults: [{}, {}] }],
};

function read(report: object) {
  return readTestReport(JSON.stringify(report));
}

test("a report counts the tests that passed, failed and were not run", () => {
  const report = { ...allPassed, numFailedTests: 3, numPendingTests: 1, numTodoTests: 1, success: false };
  expect(read(report)).toEqual({ passed: 2, failed: 3, skipped: 2 });
});

test("a file that could not be loaded counts as a failure", () => {
  const unloaded = { status: "failed", assertionResults: [] };
  expect(read({ ...allPassed, success: false, testResults: [unloaded, unloaded] }).failed).toBe(2);
});

test("a run that failed though each of its tests passed counts as a failure", () => {
  expect(read({ ...allPassed, success: false }).failed).toBe(1);
});

test.each([
  ["is empty", ""],
  ["lacks a number", JSON.stringify({ ...allPassed, numFailedTests: undefined })],
  ["holds a negative number", JSON.stringify({ ...allPassed, numPassedTests: -1 })],
])("a report that %s is refused", (_description, text) => {
  expect(() => readTestReport(text)).toThrow();
});
