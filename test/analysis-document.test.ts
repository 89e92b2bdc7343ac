import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkCondition, comparisonSchema, probeSchema, tcp } from "../packages/core/src/index.ts";
import { drawComparison } from "../docs/comparison/picture.ts";

const read = (path: string) => readFileSync(new URL(`../docs/${path}`, import.meta.url), "utf8");
const page = read("analysis.md");

describe("docs/analysis.md", () => {
  const conditions = /^```cel\n([\s\S]*?)\n```$/m.exec(page)?.[1]?.split("\n") ?? [];
  it.each(conditions)("shows a condition that is one: %s", (condition) => {
    expect(checkCondition(condition)).toBeUndefined();
  });

  it("shows conditions at all", () => {
    expect(conditions.length).toBeGreaterThan(5);
  });

  const rowOf = (option: string) => page.split("\n").find((line) => line.startsWith(`| \`${option}\``));
  const probe = probeSchema.options.find((option) => option.safeParse(tcp()).success);
  const options = Object.keys(probe?.shape ?? {}).filter((option) => option !== "kind" && option !== "name");
  it.each(options)("has a row for the option %s of a probe", (option) => {
    expect(rowOf(option)).toBeDefined();
  });

  const { effectSize, ...others } = comparisonSchema.shape;
  const ofEffect = Object.keys(effectSize.unwrap().shape).map((option) => `effectSize.${option}`);
  it.each([...Object.keys(others), ...ofEffect])("has a row for the option %s of a comparison", (option) => {
    expect(rowOf(option)).toBeDefined();
  });

  it("has a picture of what the comparison says now (pnpm pictures draws it)", () => {
    const drawn = read("comparison/comparison.svg");
    expect(drawn).toBe(drawComparison());
    for (const verdict of [">pass<", ">fail<", ">inconclusive<"]) expect(drawn).toContain(verdict);
  });
});
