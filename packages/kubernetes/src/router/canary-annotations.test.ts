import type { RequestMatch } from "@bascule/core";
import { describe, expect, it } from "vitest";
import {
  canaryAnnotations,
  hasShare,
  isCanaryAnnotation,
  matchesProblem,
  weightPercentIn,
} from "./canary-annotations.ts";

const nginx = (annotations: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]));

describe("the canary annotations of ingress-nginx", () => {
  it.each<[string, readonly RequestMatch[], Readonly<Record<string, string>>]>([
    [
      "a value",
      [{ header: "X-Canary", exact: "yes" }],
      { "canary-by-header": "X-Canary", "canary-by-header-value": "yes" },
    ],
    [
      "a value with other characters",
      [{ header: "X-Canary", exact: "a|b" }],
      { "canary-by-header": "X-Canary", "canary-by-header-pattern": "^(?:a\\|b)$" },
    ],
    [
      "a beginning",
      [{ header: "X-Canary", prefix: "v2." }],
      { "canary-by-header": "X-Canary", "canary-by-header-pattern": "^(?:v2\\..*)$" },
    ],
    [
      "several values of one header, however it is written",
      [
        { header: "X-Canary", exact: "a" },
        { header: "x-canary", regex: "b+" },
      ],
      { "canary-by-header": "X-Canary", "canary-by-header-pattern": "^(?:a|b+)$" },
    ],
    ["a cookie", [{ cookie: "beta", exact: "always" }], { "canary-by-cookie": "beta" }],
  ])("pick requests by %s", (_what, matches, expected) => {
    expect(matchesProblem(matches)).toBeUndefined();
    expect(canaryAnnotations({ weightPercent: 10, matches })).toEqual(
      nginx({
        canary: "true",
        "affinity-canary-behavior": "legacy",
        "canary-weight": "10",
        "canary-weight-total": "100",
        ...expected,
      }),
    );
  });

  it.each<[string, readonly RequestMatch[], RegExp]>([
    [
      "two headers",
      [
        { header: "X-Canary", exact: "yes" },
        { header: "X-Team", exact: "ours" },
      ],
      /by one header, not by X-Canary and X-Team\. Put both/,
    ],
    ["another value of a cookie", [{ cookie: "beta", exact: "yes" }], /exactly "always", not by another value of beta/],
    ["a pattern of a cookie", [{ cookie: "beta", regex: "always|yes" }], /exactly "always"/],
    [
      "two cookies",
      [
        { cookie: "beta", exact: "always" },
        { cookie: "alpha", exact: "always" },
      ],
      /by one cookie, not by beta and alpha/,
    ],
    [
      "characters that it takes in no pattern",
      [{ header: "X-Canary", exact: "ü" }],
      /ignores .*ü.* for the characters/,
    ],
    ["a space in a pattern", [{ header: "X-Canary", regex: "a b" }], /ignores/],
  ])("are refused for %s", (_what, matches, message) => {
    expect(matchesProblem(matches)).toMatch(message);
  });

  // As `internal/ingress/annotations/canary` and `balancer.lua` of ingress-nginx 1.15.1 read them.
  it.each<[Readonly<Record<string, string>>, number]>([
    [{}, 0],
    [{ "canary-weight": "20" }, 0],
    [{ canary: "false", "canary-weight": "20" }, 0],
    [{ canary: "true", "canary-weight": "20" }, 20],
    [{ canary: "T", "canary-weight": "20" }, 20],
    [{ canary: "true", "canary-weight": "20", "canary-weight-total": "50" }, 20],
    [{ canary: "true", "canary-weight": "20", "canary-weight-total": "200" }, 10],
    [{ canary: "true", "canary-weight": "300" }, 100],
    [{ canary: "true", "canary-weight": "-5" }, 0],
    [{ canary: "true", "canary-weight": "ten" }, 0],
    [{ canary: "true", "canary-weight": "10.5" }, 0],
    [{ canary: "true", "canary-weight": "10", "canary-weight-total": "many" }, 10],
  ])("read %j as a share of %d %%", (annotations, percent) => {
    expect(weightPercentIn(nginx(annotations))).toBe(percent);
  });

  it("share requests by weight or by a rule", () => {
    expect(hasShare(nginx({ canary: "true", "canary-weight": "0" }))).toBe(false);
    expect(hasShare(nginx({ canary: "true", "canary-weight": "1" }))).toBe(true);
    expect(hasShare(nginx({ canary: "true", "canary-by-header": "x" }))).toBe(true);
    expect(hasShare(nginx({ canary: "true", "canary-by-cookie": "x" }))).toBe(true);
  });

  it("are told from all others", () => {
    const [own, theirs] = [
      nginx({ canary: "", "canary-x": "", "affinity-canary-behavior": "" }),
      nginx({ canaryx: "", affinity: "" }),
    ];
    expect(Object.keys(own).every(isCanaryAnnotation)).toBe(true);
    expect(Object.keys(theirs).some(isCanaryAnnotation)).toBe(false);
  });
});
