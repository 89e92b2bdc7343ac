import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("the README", () => {
  it("shows the quickstart example as it is", () => {
    const [, shown] = /```ts\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
    expect(shown).toBe(read("examples/quickstart/index.ts"));
  });

  it("keeps its example to twenty lines", () => {
    expect(read("examples/quickstart/index.ts").trimEnd().split("\n").length).toBeLessThanOrEqual(20);
  });
});
