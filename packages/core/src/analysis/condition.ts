import {
  Environment,
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
  type ASTNode,
} from "@marcbachmann/cel-js";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import { allowedFunctions, allowedMethods, estimateSteps } from "./condition-cost.ts";
import { readResult, type ConditionValue } from "./condition-result.ts";
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

const longestText = 2_000;
const mostSteps = 5_000_000;
/** Characters of a condition that a message quotes. */
const longestQuote = 200;
const largestInt = 9_223_372_036_854_775_807n;

/*
 * JSON has one kind of number, which is a `double` here; an integer in an expression is an `int`. CEL adds and multiplies no int to
 * a double, so that `result.errors * 100 / result.total` would be an error: as in expr-lang, the outcome is a double.
 */
const language = new Environment({
  enableOptionalTypes: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 8 },
})
  .registerVariable("result", "dyn")
  .registerFunction("asInt(dyn): int", asInt, { async: false })
  .registerFunction("asFloat(dyn): double", asFloat, { async: false })
  .registerFunction("isNaN(dyn): bool", (value: ConditionValue) => Number.isNaN(numberFor("isNaN", value)), {
    async: false,
  })
  .registerFunction("isInf(dyn): bool", (value: ConditionValue) => Math.abs(numberFor("isInf", value)) === Infinity, {
    async: false,
  })
  .registerFunction("isNil(dyn): bool", (value: ConditionValue) => value === null, { async: false })
  .registerFunction(
    "default(dyn, dyn): dyn",
    (value: ConditionValue, otherwise: ConditionValue) => value ?? otherwise,
    { async: false },
  );
for (const [operator, compute] of [
  ["+", (left: number, right: number) => left + right],
  ["-", (left: number, right: number) => left - right],
  ["*", (left: number, right: number) => left * right],
  ["/", (left: number, right: number) => left / right],
] as const) {
  const mixed = (left: number | bigint, right: number | bigint) => compute(Number(left), Number(right));
  language.registerOperator(`double ${operator} int: double`, mixed);
  language.registerOperator(`int ${operator} double: double`, mixed);
}

/** What those who come from other languages write, and how CEL says it. */
const otherSpellings: Readonly<Record<string, string>> = {
  nil: "null",
  None: "null",
  undefined: "null",
  len: "size(…)",
  all: "list.all(x, …)",
  any: "list.exists(x, …)",
  one: "list.exists_one(x, …)",
  none: "!list.exists(x, …)",
  filter: "list.filter(x, …)",
  map: "list.map(x, …)",
  count: "list.filter(x, …).size()",
  and: "&&",
  or: "||",
  not: "!",
  matches: "startsWith(…), endsWith(…) or contains(…)",
  bind: "the expression in its place",
};

const remedies: Readonly<Record<string, string>> = {
  no_such_key: "write has(result.name) && … or result.?name.orValue(…) for what may be missing",
  index_out_of_bounds: "ask size(…) first, or write result[?0].orValue(…)",
  no_such_overload: "compare values of one kind; asFloat(…) makes a number of a text",
  no_matching_overload: "give it values of the kind that it takes; asFloat(…) makes a number of a text",
  limit_exceeded: "write a smaller expression",
};

/**
 * Checks a condition without a result, at plan time.
 *
 * @returns what is wrong, where, and what to write instead, in one sentence; `undefined` when nothing is
 */
export function checkCondition(text: string): string | undefined {
  try {
    compile(text);
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

  const measured = describeResult(result);
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
    const condition = compile(text);
    const { value, extent } = readResult(result);
    const steps = estimateSteps(condition.ast, extent);
    if (steps > mostSteps) {
      throw new Error(
        `it could take ${steps.toLocaleString("en")} steps over this result, and ${mostSteps.toLocaleString("en")} are allowed: ` +
          "loop over less, or let the probe take a part of the result",
      );
    }
    const answer: unknown = condition({ result: value });
    if (typeof answer !== "boolean")
      throw new Error(`it gives ${describeResult(answer)} where true or false is needed: compare it with something`);
    return { kind: answer ? "true" : "false" };
  } catch (thrown) {
    const measured = result === null || result === undefined ? " (the result is null)" : "";
    const problem = describeProblem(thrown, text);
    return { kind: "error", message: `${field} ${quote(text)} cannot be evaluated${measured}: ${problem}` };
  }
}

/** @throws what the library throws, or an Error in one sentence, when the text is no condition */
function compile(text: string): ReturnType<Environment["parse"]> {
  if (text.trim() === "") throw new Error("it is empty: write a comparison such as result < 5, or leave the field out");
  if (text.length > longestText)
    throw new Error(
      `it has ${text.length} characters, and at most ${longestText} are allowed: write a smaller expression`,
    );
  const parsed = language.parse(text);
  refuseUnknownCalls(parsed.ast);
  const { valid, type, error } = parsed.check();
  if (!valid) throw error ?? new Error("it is not a valid expression");
  if (type !== "bool" && type !== "dyn")
    throw new Error(`it gives a value of type ${type} where true or false is needed: compare it with something`);
  return parsed;
}

function refuseUnknownCalls(node: ASTNode): void {
  if (node.op === "call" && !allowedFunctions.has(node.args[0]))
    throw unknownCall(node, node.args[0], allowedFunctions);
  if (node.op === "rcall" && !allowedMethods.has(node.args[0])) throw unknownCall(node, node.args[0], allowedMethods);
  for (const part of partsOf(node)) refuseUnknownCalls(part);
}

function unknownCall(node: ASTNode, name: string, allowed: ReadonlySet<string>): ParseError {
  const instead = Object.hasOwn(otherSpellings, name) ? "" : `: there are ${[...allowed].join(", ")}`;
  return new ParseError({ code: "unknown_call", message: `Unknown function: ${name}${instead}`, node });
}

function partsOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

/** The problem in one sentence, with its place in the text and a remedy where one is known. */
function describeProblem(thrown: unknown, text: string): string {
  if (!(thrown instanceof ParseError || thrown instanceof EvaluationError || thrown instanceof CelTypeError))
    return messageOf(thrown);
  const place = thrown.range === undefined ? "" : `${describePlace(text, thrown.range.start)}: `;
  const remedy = remedyFor(thrown.code, thrown.summary, text);
  const summary = thrown.summary.replace(/\p{Cc}/gu, "�");
  return `${place}${summary}${remedy === undefined ? "" : `; ${remedy}`}`;
}

function remedyFor(code: string, summary: string, text: string): string | undefined {
  const name = /^Unknown (?:variable|function): (\w+)/.exec(summary)?.[1];
  if (name !== undefined && Object.hasOwn(otherSpellings, name)) return `write ${otherSpellings[name]}`;
  if (code === "unknown_variable") return "the measured value is called result";
  if (text.includes("#")) return "write list.all(x, x < 5) for all(list, {# < 5})";
  if (/[^=!<>]=[^=]/.test(text)) return "write == to compare";
  const word = /\b(?:and|or|not)\b/.exec(text)?.[0];
  if (code === "unexpected_character" && word !== undefined) return `write ${otherSpellings[word]} for ${word}`;
  return remedies[code];
}

function quote(text: string | undefined): string {
  const characters = [...(text ?? "").trim().replace(/[\s\p{Cc}]+/gu, " ")];
  return characters.length > longestQuote ? `${characters.slice(0, longestQuote).join("")}…` : characters.join("");
}

function describePlace(text: string, position: number): string {
  const lines = text.slice(0, position).split("\n");
  const column = (lines.at(-1)?.length ?? 0) + 1;
  return lines.length > 1 ? `line ${lines.length}, column ${column}` : `column ${column}`;
}

function describeResult(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "string" ? "a text" : "an object";
}

function asInt(value: ConditionValue): bigint {
  const read =
    typeof value === "bigint"
      ? value
      : typeof value === "number" && Number.isFinite(value)
        ? BigInt(Math.trunc(value))
        : typeof value === "string" && /^[+-]?\d{1,19}$/.test(value)
          ? BigInt(value.replace(/^\+/, ""))
          : undefined;
  if (read === undefined || read > largestInt || read < -largestInt - 1n)
    throw new EvaluationError(`asInt takes a whole number or its text, not ${describeResult(value)}`);
  return read;
}

function asFloat(value: ConditionValue): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  const text = typeof value === "string" ? value : "";
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  throw new EvaluationError(`asFloat takes a number or its text, not ${describeResult(value)}`);
}

function numberFor(name: string, value: ConditionValue): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  throw new EvaluationError(`${name} takes a number, not ${describeResult(value)}`);
}
