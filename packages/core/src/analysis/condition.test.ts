import { performance } from "node:perf_hooks";
import { describe, expect, it } from "vitest";
import { checkCondition, conditionSchema, evaluateConditions, type Conditions } from "./condition.ts";
import type { Verdict } from "./measurement.ts";

function verdictOf(successCondition: string, result: unknown): Verdict {
  return evaluateConditions({ successCondition }, result).verdict;
}

function messageOf(successCondition: string, result: unknown): string {
  return evaluateConditions({ successCondition }, result).message;
}

describe("the conditions of a measurement", () => {
  it.each<[Conditions, unknown, Verdict]>([
    [{}, 1, "pass"],
    [{ successCondition: "result < 5" }, 4, "pass"],
    [{ successCondition: "result < 5" }, 5, "fail"],
    [{ failureCondition: "result >= 5" }, 4, "pass"],
    [{ failureCondition: "result >= 5" }, 5, "fail"],
    [{ successCondition: "result < 5", failureCondition: "result > 9" }, 4, "pass"],
    [{ successCondition: "result < 5", failureCondition: "result > 9" }, 7, "inconclusive"],
    [{ successCondition: "result < 5", failureCondition: "result > 9" }, 10, "fail"],
    [{ successCondition: "result < 5", failureCondition: "result < 5" }, 4, "fail"],
    [{ successCondition: "result.missing", failureCondition: "true" }, {}, "error"],
    [{ successCondition: "true", failureCondition: "result.missing" }, {}, "error"],
    [{ successCondition: "result" }, 1, "error"],
    [{ successCondition: "" }, 1, "error"],
  ])("%j of %j: %s", (conditions, result, expected) => {
    expect(evaluateConditions(conditions, result).verdict).toBe(expected);
  });

  it.each<[Conditions, unknown, string]>([
    [{ successCondition: "result < 5" }, 4, "4 meets the successCondition result < 5"],
    [{ successCondition: "result < 5" }, 5, "5 does not meet the successCondition result < 5"],
    [{ failureCondition: "result" }, true, "true meets the failureCondition result"],
    [
      { successCondition: "result < 5", failureCondition: "result >\n  9" },
      7,
      "7 meets neither the successCondition result < 5 nor the failureCondition result > 9",
    ],
    [
      { failureCondition: "result.errors > 5" },
      {},
      "failureCondition result.errors > 5 cannot be evaluated: column 8: No such key: errors; " +
        "write has(result.name) && … or result.?name.orValue(…) for what may be missing",
    ],
    [
      { successCondition: "result" },
      [1, 2],
      "successCondition result cannot be evaluated: " +
        "it gives a list of 2 where true or false is needed: compare it with something",
    ],
  ])("%j of %j is reported as: %s", (conditions, result, expected) => {
    expect(evaluateConditions(conditions, result).message).toBe(expected);
  });

  it.each(["s3cr3t", { token: "s3cr3t" }, ["s3cr3t"], { s3cr3t: 1 }, { a: "s3cr3t", b: {} }])(
    "of %j do not quote the result",
    (result) => {
      for (const condition of [
        "result == 'a'",
        "result != 'a'",
        "result",
        "result.a > 1",
        "asInt(result) > 0",
        "asFloat(result) > 0",
        "int(result) > 0",
        "double(result) > 0",
        "bool(result)",
        "bool(result.a)",
        "result.b[result.a] == 1",
        "result[0] > 1",
        "-result > 1",
      ])
        expect(messageOf(condition, result)).not.toContain("s3cr3t");
    },
  );
});

describe("the language of conditions", () => {
  it.each<[string, unknown]>([
    ["result == 0.5", 0.5],
    ["result == 1", 1],
    ["result + 1 == 2", 1],
    ["result.errors * 100 / result.total <= 0.5", { errors: 1, total: 200 }],
    ["1 - result == 0.75", 0.25],
    ["result == null", null],
    ["result == null", undefined],
    ["isNil(result)", null],
    ["default(result, 3) == 3", null],
    ["default(result, 3) == 2", 2],
    ["isNaN(result) || result > 1", Number.NaN],
    ["!(result > 1)", Number.NaN],
    ["isInf(result)", Number.NEGATIVE_INFINITY],
    ["asInt(result) == 12", "12"],
    ["asInt(result) == 12", 12.9],
    ["asFloat(result) == 1.5", "1.5"],
    ["isInf(asFloat(result))", "+Inf"],
    ["isNaN(asFloat(result))", "NaN"],
    ["result.?a.?b.orValue(7) == 7", {}],
    ["result[?0].orValue(7) == 7", []],
    ["has(result.a) && !has(result.b)", { a: 1 }],
    ["'a' in result && !('b' in result)", { a: 1 }],
    ["size(result) == 2 && result[1] == 'b'", ["a", "b"]],
    ["result.all(name, result[name] > 0)", { a: 1, b: 2 }],
    ["result.exists(x, x > 2) && result.exists_one(x, x > 2)", [1, 2, 3]],
    ["result.filter(x, x > 1).map(x, x * 2).size() == 2", [1, 2, 3]],
    ["result.status == 'ok' && result.checks.all(check, check.ok)", { status: "ok", checks: [{ ok: true }] }],
    ["result.startsWith('he') && result.endsWith('lo') && result.upperAscii().contains('ELL')", "hello"],
    ["result.left == result.right", { left: [1, { a: 2 }], right: [1, { a: 2 }] }],
  ])("finds %s true of %j", (condition, result) => {
    expect(checkCondition(condition)).toBeUndefined();
    expect(evaluateConditions({ successCondition: condition }, result)).toMatchObject({ verdict: "pass" });
  });

  it.each<[string, unknown, string]>([
    ["asInt(result) > 0", "12 apples", "asInt takes a whole number or its text, not a text"],
    ["asInt(result) > 0", "99999999999999999999", "asInt takes a whole number or its text, not a text"],
    ["asInt(result) > 0", Number.NaN, "asInt takes a whole number or its text, not NaN"],
    ["asFloat(result) > 0", "0x10", "asFloat takes a number or its text, not a text"],
    ["asFloat(result) > 0", "", "asFloat takes a number or its text, not a text"],
    ["isNaN(result)", "NaN", "isNaN takes a number, not a text"],
    ["isInf(result)", null, "isInf takes a number, not null"],
    ["result > 1", "2", "no such overload: dyn<string> > int"],
    ["result[0] >= 0.95", null, "(the result is null)"],
  ])("finds no answer to %s of %j: %s", (condition, result, reason) => {
    const { verdict, message } = evaluateConditions({ successCondition: condition }, result);
    expect(verdict).toBe("error");
    expect(message).toContain(reason);
  });
});

describe("a condition is checked before there is a result", () => {
  it.each([
    ["", "it is empty: write a comparison such as result < 5, or leave the field out"],
    ["  \n", "it is empty: write a comparison such as result < 5, or leave the field out"],
    ["result.a > ", "column 12: Unexpected token: EOF"],
    ["result ==\n  (1", "line 2, column 5: Expected RPAREN, got EOF"],
    ["a == true", "column 1: Unknown variable: a; the measured value is called result"],
    ["result == nil", "column 11: Unknown variable: nil; write null"],
    ["len(result) > 0", "column 1: Unknown function: len; write size(…)"],
    ["all(result, {# < 5})", "column 14: Unexpected character: #; write list.all(x, x < 5) for all(list, {# < 5})"],
    ["result = 1", "column 8: Unexpected character: =; write == to compare"],
    ["result > 1 and true", "column 12: Unexpected character: 'd'; write && for and"],
    [
      "result + 1 == 2 ? 1 : 2",
      "it gives a value of type int where true or false is needed: compare it with something",
    ],
    [
      "1 + 'a' == 2",
      "column 1: no such overload: int + string; compare values of one kind; asFloat(…) makes a number of a text",
    ],
  ])("%j: %s", (condition, expected) => {
    expect(checkCondition(condition)).toBe(expected);
  });

  it.each(["result.matches('(a+)+$')", "cel.bind(x, result, x)", "result.split('').size() > 1", "process.exit()"])(
    "refuses %s, which is not among what a condition may call",
    (condition) => {
      expect(checkCondition(condition)).toContain("Unknown function");
    },
  );

  it("and what may be called is named", () => {
    const problem = checkCondition("result.a.at(0) == 1");
    expect(problem).toMatch(/^column 1: Unknown function: at; there are has, size, /);
    expect(problem).toContain("exists_one");
  });

  it("by the schema of a field", () => {
    expect(conditionSchema.safeParse("result < 5").success).toBe(true);
    const refused = conditionSchema.safeParse("result < ");
    expect(refused.error?.issues.map(({ message }) => message)).toEqual(["column 10: Unexpected token: EOF"]);
  });
});

describe("a condition reaches nothing but the result's own fields", () => {
  it.each([
    "result.__proto__ == null",
    "result['__proto__'] == null",
    "result.constructor == null",
    "result.toString == null",
    "result.a.__proto__ == null",
    "result.list.length == 1",
    "result.text.length == 1",
    "result.text.constructor == null",
    "result.constructor.constructor('return 1')() == 1",
    "__proto__ == null",
    "constructor == null",
    "this == null",
    "toString() == ''",
    "result.hasOwnProperty('a')",
    "{'__proto__': {'leaked': true}}.leaked",
  ])("%s", (condition) => {
    expect(verdictOf(condition, { a: {}, list: [1], text: "x" })).toBe("error");
    expect(Object.hasOwn(Object.prototype, "leaked")).toBe(false);
  });

  it("and reads a field of any name as a field", () => {
    const result: unknown = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2, "toString": 3}');
    expect(verdictOf("result['__proto__'].x == 1 && result.constructor == 2 && result.toString == 3", result)).toBe(
      "pass",
    );
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it.each([[() => 1], [new Date(0)], [new Map([["a", 1]])], [Symbol("a")], [{ a: new Set([1]) }]])(
    "and takes no %o for a result",
    (result) => {
      expect(messageOf("true", result)).toContain("the result is not JSON");
    },
  );

  it("and leaves the result as it is", () => {
    const result = Object.freeze({ list: Object.freeze([3, 1, 2]) });
    expect(verdictOf("result.list.map(x, x + 1).size() == 3", result)).toBe("pass");
    expect(result).toEqual({ list: [3, 1, 2] });
  });
});

describe("a condition ends soon, whatever it says", () => {
  const numbers = (length: number) => Array.from({ length }, (_, index) => index);
  const nested = (depth: number) => numbers(depth).reduce<unknown>((inner) => [inner], 1);
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;

  it.each<[string, string, unknown, string]>([
    ["a long text", `result == '${"x".repeat(2_000)}'`, 1, "at most 2000 are allowed"],
    ["deep brackets", `${"(".repeat(500)}true${")".repeat(500)}`, 1, "Exceeded maxDepth"],
    ["a long path", `result${".a".repeat(500)} == 1`, 1, "Exceeded maxDepth"],
    ["many parts", `${"!".repeat(1_500)}true`, 1, "Exceeded maxAstNodes"],
    ["a large result", "true", "x".repeat(1_000_001), "more than 1,000,000 values and characters"],
    ["a long list", "true", numbers(1_000_001), "more than 1,000,000 values and characters"],
    ["a deep result", "true", nested(10_000), "nested deeper than 64 levels"],
    ["an endless result", "true", cyclic, "nested deeper than 64 levels"],
    [
      "loops in loops",
      "result.all(a, result.all(b, result.all(c, a + b + c >= 0)))",
      numbers(1_000),
      "steps over this result",
    ],
    [
      "texts that double",
      `[result]${".map(a, a + a)".repeat(14)}.size() == 1`,
      "x".repeat(1_000),
      "steps over this result",
    ],
    [
      "lists that double",
      `[result]${".map(a, [a, a] + [a, a])".repeat(14)}.size() == 1`,
      "x",
      "steps over this result",
    ],
    [
      "bytes that double",
      `[b'${"x".repeat(500)}']${".map(a, a + a)".repeat(14)}.size() == 1`,
      1,
      "steps over this result",
    ],
    ["numbers that square", `[9]${".map(a, a * a)".repeat(14)}.size() == 1`, 1, "overflow"],
    ["a search in a loop", "result.all(a, a in result)", numbers(10_000), "steps over this result"],
    [
      "a comparison in a loop",
      "result.list.all(a, result.left == result.right)",
      { list: numbers(1_000), left: numbers(9_000), right: numbers(9_000) },
      "steps over this result",
    ],
  ])("%s", (_, condition, result, reason) => {
    const startedAt = performance.now();
    const { verdict, message } = evaluateConditions({ successCondition: condition }, result);
    expect(verdict).toBe("error");
    expect(message).toContain(reason);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it.each<[string, unknown]>([
    [
      "result.data.all(row, row.values.all(value, value >= 0))",
      { data: numbers(1_000).map(() => ({ values: numbers(50) })) },
    ],
    ["result.all(x, x >= 0)", numbers(100_000)],
    ["!result.contains('error')", "x".repeat(900_000)],
    ["result.all(a, result.exists(b, a == b))", numbers(500)],
  ])("and has room for %s over much", (condition, result) => {
    const startedAt = performance.now();
    expect(evaluateConditions({ successCondition: condition }, result)).toMatchObject({ verdict: "pass" });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it("and quotes no more than the beginning of a long one", () => {
    const condition = `result == '${"x".repeat(1_000)}'`;
    expect(messageOf(condition, "y").length).toBeLessThan(300);
  });
});
