import { expect, it } from "vitest";
import { withoutStacks } from "./short-stacks.ts";

it("leaves errors without a stack while resources are declared, and with one afterwards, whatever happened", () => {
  const limit = Error.stackTraceLimit;
  const inside = withoutStacks(() => Object.assign(new Error(), { message: "refused" }));
  expect(inside.stack).toBe("Error: refused");
  expect(() =>
    withoutStacks(() => {
      throw new Error("wrong");
    }),
  ).toThrow("wrong");
  expect(Error.stackTraceLimit).toBe(limit);
});
