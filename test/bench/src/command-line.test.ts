import { expect, it } from "vitest";
import { planOf } from "./command-line.ts";

it("measures everything when nothing is said", () => {
  expect(planOf([])).toEqual({ parts: new Set(["engine", "stack"]), counts: [1, 50, 500], rounds: 3, isWhole: true });
});

it("measures less when told, and takes the counts in ascending order", () => {
  const plan = planOf(["--only", "stack", "--count", "50,1,50", "--rounds", "5"]);
  expect(plan).toEqual({ parts: new Set(["stack"]), counts: [1, 50], rounds: 5, isWhole: false });
});

it.each([
  { parameters: ["--only", "rings"], message: /--only: must be one of engine, stack/ },
  { parameters: ["--count", "1,many"], message: /--count: must be made of whole numbers/ },
  { parameters: ["--count", "0"], message: /--count: must be made of whole numbers/ },
  { parameters: ["--rounds", "1.5"], message: /--rounds: must be made of whole numbers/ },
])("refuses $parameters", ({ parameters, message }) => {
  expect(() => planOf(parameters)).toThrow(message);
});
