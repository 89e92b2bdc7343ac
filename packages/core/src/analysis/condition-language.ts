import { Environment, EvaluationError, ParseError, type ASTNode } from "@marcbachmann/cel-js";
import { allowedFunctions, allowedMethods, estimateSteps, type Extent } from "./condition-cost.ts";
import { describeValue, type ConditionValue } from "./condition-result.ts";

/** An expression that may be evaluated. */
export interface Expression {
  /** The most steps that it can take over a `result` of this extent. */
  readonly stepsOver: (extent: Extent) => number;
  /** @throws what the library throws */
  readonly evaluate: (result: ConditionValue) => unknown;
}

const longestText = 2_000;
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

/**
 * Reads an expression over `result` that gives a boolean, or something that only a result can tell.
 *
 * @throws what the library throws, or an Error in one sentence, when the text is none
 */
export function readExpression(text: string): Expression {
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
  return {
    stepsOver: (extent) => estimateSteps(parsed.ast, extent),
    evaluate: (result): unknown => parsed({ result }),
  };
}

function refuseUnknownCalls(node: ASTNode): void {
  if (node.op === "call" && !allowedFunctions.has(node.args[0])) throw unknownCall(node, node.args[0]);
  if (node.op === "rcall" && !allowedMethods.has(node.args[0])) throw unknownCall(node, node.args[0]);
  for (const part of partsOf(node)) refuseUnknownCalls(part);
}

function unknownCall(node: ASTNode, name: string): ParseError {
  return new ParseError({
    code: "unknown_call",
    message: `Unknown function: ${name}`,
    node,
  });
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
    throw new EvaluationError(`asInt takes a whole number or its text, not ${describeValue(value)}`);
  return read;
}

function asFloat(value: ConditionValue): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  const text = typeof value === "string" ? value : "";
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  throw new EvaluationError(`asFloat takes a number or its text, not ${describeValue(value)}`);
}

function numberFor(name: string, value: ConditionValue): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  throw new EvaluationError(`${name} takes a number, not ${describeValue(value)}`);
}
