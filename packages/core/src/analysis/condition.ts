import { z } from "zod";
import { readExpression, type Expression } from "./condition-language.ts";
import { describeProblem, isLanguageError, quote } from "./condition-problem.ts";
import { describeValue, readResult, type ConditionValue } from "./condition-result.ts";
import type { Verdict } from "./measurement.ts";

/** What a measured result must be, and must not be. */
export interface Conditions {
  /** The measurement passes when this is true. */
  readonly successCondition?: string | undefined;
  /** The measurement fails when this is true. */
  readonly failureCondition?: string | undefined;
}

/** What the conditions say of one result, in one sentence. */
export interface ConditionsResult {
  readonly verdict: Verdict;
  readonly message: string;
}

/** About a tenth of a second. */
const mostSteps = 5_000_000;

/**
 * Checks a condition without a result, at plan time.
 *
 * @returns what is wrong, where, and what to write instead, in one sentence; `undefined` when nothing is
 */
export function checkCondition(text: string): string | undefined {
  try {
    readExpression(text);
    return undefined;
  } catch (thrown) {
    return describeProblem(thrown, text);
  }
}

/** A condition over `result` in CEL (Common Expression Language, https://cel.dev), for example `result.errors < 5`. */
export const conditionSchema = z.string().superRefine((text, context) => {
  const problem = checkCondition(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/**
 * Judges a measured result by its conditions, with the meaning of Argo Rollouts (utils/evaluate/evaluate.go):
 * - only a success condition: it passes when that is true, and fails when it is not;
 * - only a failure condition: it fails when that is true, and passes when it is not;
 * - both: a true failure condition fails, else a true success condition passes, else it is inconclusive;
 * - none: it passes.
 *
 * A condition that cannot be evaluated, or gives no boolean, is an `error`, whatever the other one says. Nothing of the result but a
 * number or a boolean reaches the message.
 */
export function evaluateConditions(
  { successCondition, failureCondition }: Conditions,
  result: unknown,
): ConditionsResult {
  const success = evaluateOne("successCondition", successCondition, result);
  if (success.kind === "error") return { verdict: "error", message: success.message };
  const failure = evaluateOne("failureCondition", failureCondition, result);
  if (failure.kind === "error") return { verdict: "error", message: failure.message };

  const measured = describeValue(result);
  const [passing, failing] = [quote(successCondition), quote(failureCondition)];
  if (failure.kind === "true") return { verdict: "fail", message: `${measured} meets the failureCondition ${failing}` };
  if (success.kind === "true") return { verdict: "pass", message: `${measured} meets the successCondition ${passing}` };
  if (success.kind === "absent" && failure.kind === "absent")
    return { verdict: "pass", message: `${measured} was measured, and there is no condition` };
  if (success.kind === "absent")
    return { verdict: "pass", message: `${measured} does not meet the failureCondition ${failing}` };
  if (failure.kind === "absent")
    return { verdict: "fail", message: `${measured} does not meet the successCondition ${passing}` };
  const neither = `neither the successCondition ${passing} nor the failureCondition ${failing}`;
  return { verdict: "inconclusive", message: `${measured} meets ${neither}` };
}

type Outcome = { readonly kind: "absent" | "true" | "false" } | { readonly kind: "error"; readonly message: string };

function evaluateOne(field: keyof Conditions, text: string | undefined, result: unknown): Outcome {
  if (text === undefined) return { kind: "absent" };
  try {
    const expression = readExpression(text);
    const { value, extent } = readResult(result);
    const steps = expression.stepsOver(extent);
    if (steps > mostSteps) {
      throw new Error(
        `it could take ${steps.toLocaleString("en")} steps over this result, and ${mostSteps.toLocaleString("en")} are allowed: ` +
          "loop over less, or let the probe take a part of the result",
      );
    }
    const answer = answerOf(expression, value);
    if (typeof answer !== "boolean")
      throw new Error(`it gives ${describeValue(answer)} where true or false is needed: compare it with something`);
    return { kind: answer ? "true" : "false" };
  } catch (thrown) {
    const measured = result === null || result === undefined ? " (the result is null)" : "";
    const problem = describeProblem(thrown, text);
    return { kind: "error", message: `${field} ${quote(text)} cannot be evaluated${measured}: ${problem}` };
  }
}

function answerOf(expression: Expression, result: ConditionValue): unknown {
  try {
    return expression.evaluate(result);
  } catch (thrown) {
    if (isLanguageError(thrown)) throw thrown;
    // What another error says may be a part of the result.
    throw new Error(`it ended with ${thrown instanceof Error ? thrown.name : "an error"}: write a simpler expression`, {
      cause: thrown,
    });
  }
}
