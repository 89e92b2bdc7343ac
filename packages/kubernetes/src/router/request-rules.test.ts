import { describe, expect, it } from "vitest";
import { cookiePattern, wholeValuePattern } from "./request-rules.ts";

/** Some implementations look for a pattern anywhere in the text. */
const isFound = (pattern: string, text: string) => new RegExp(pattern).test(text);
/** Others match it against all of the text. */
const isWhole = (pattern: string, text: string) => new RegExp(`^(?:${pattern})$`).test(text);

describe("a pattern for a header", () => {
  it.each([
    [{ exact: "a.b" }, ["a.b"], ["a.b.c", "xa.b", "aXb", ""]],
    [{ prefix: "beta-" }, ["beta-", "beta-7"], ["alphabeta-7", "beta", ""]],
    [{ regex: "[0-9]+" }, ["42"], ["v42", "42nd", ""]],
    [{ regex: "a|b" }, ["a", "b"], ["ab", "xb", "ax"]],
  ])("%o means the whole value, however it is matched", (value, fitting, others) => {
    const pattern = wholeValuePattern(value);
    for (const matches of [isFound, isWhole]) {
      for (const text of fitting) expect(matches(pattern, text), text).toBe(true);
      for (const text of others) expect(matches(pattern, text), text).toBe(false);
    }
  });
});

describe("a pattern for a cookie", () => {
  it.each([
    [
      { exact: "a.b" },
      ["id=a.b", "x=1; id=a.b; y=2", "x=1;id=a.b"],
      ["id=a.bc", "myid=a.b", "x=id=a.b", "id=aXb", "id="],
    ],
    [{ prefix: "st" }, ["id=st", "id=staff; x=1"], ["id=best", "x=1; myid=staff"]],
    [{ regex: "a|b" }, ["id=a", "x=1; id=b"], ["id=ab", "x=b", "id=c; x=b"]],
  ])("%o means the whole value of that cookie among others", (value, fitting, others) => {
    const pattern = cookiePattern("id", value);
    for (const matches of [isFound, isWhole]) {
      for (const text of fitting) expect(matches(pattern, text), text).toBe(true);
      for (const text of others) expect(matches(pattern, text), text).toBe(false);
    }
  });
});
