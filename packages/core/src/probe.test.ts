import { describe, expect, it } from "vitest";
import { difference, http, lag, probeSchema, tcp } from "./probe.ts";

describe("a probe", () => {
  it.each([
    http("/health"),
    tcp(),
    difference({ maximumPercent: 1, compare: { minimumSamples: 100 } }),
    lag({ hook: "data-lag", maximumMs: 500, unit: "seconds" }),
    lag({ path: "/replication", field: "$.lag", maximumMs: 0 }),
  ])("is made by its builder: $name", (probe) => {
    expect(probeSchema.parse(probe)).toEqual(probe);
  });

  it.each<[string, object, string, RegExp]>([
    ["without anything that tells it", {}, "", /either a hook or a path/],
    ["with two things that tell it", { hook: "lag", path: "/lag", field: "$.lag" }, "", /either a hook or a path/],
    ["from a path without a field", { path: "/lag" }, "field", /where the answer has the lag/],
    ["from a hook with a field", { hook: "lag", field: "$.lag" }, "field", /where the answer has the lag/],
    ["from a path that is none", { path: "lag", field: "$.lag" }, "path", /starts with \//],
    ["from a field that is no JSON path", { path: "/lag", field: "lag" }, "field", /starts with \$/],
    ["without a maximum", { hook: "lag", maximumMs: undefined }, "maximumMs", /expected number/],
    ["below nothing", { hook: "lag", maximumMs: -1 }, "maximumMs", />=0/],
    ["in a unit that is none", { hook: "lag", unit: "minutes" }, "unit", /milliseconds/],
  ])("of a lag %s is refused", (_what, options, field, message) => {
    const probe = { kind: "lag", name: "lag", maximumMs: 1_000, ...options };
    const issues = probeSchema.safeParse(probe).error?.issues ?? [];
    expect(issues.map(({ path }) => path.join("."))).toContain(field);
    expect(issues.map((issue) => issue.message).join("; ")).toMatch(message);
  });

  it("of another kind is refused with the names of the builders", () => {
    expect(probeSchema.safeParse({ kind: "icmp" }).error?.issues[0]?.message).toMatch(/http.*tcp.*difference.*lag/);
  });
});
