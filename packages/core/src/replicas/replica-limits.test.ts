import { describe, expect, it } from "vitest";
import { replicaLimitsOf, replicaLimitsSchema } from "./replica-limits.ts";

describe("limits of replicas", () => {
  it.each([
    [10, { maxSurge: 3, maxUnavailable: 0 }, 3, 0],
    [10, { maxSurge: "25%", maxUnavailable: "25%" }, 3, 2],
    [10, { maxSurge: "2", maxUnavailable: "1" }, 2, 1],
    [1, { maxSurge: "1%", maxUnavailable: "99%" }, 1, 0],
    [4, { maxSurge: "100%", maxUnavailable: "100%" }, 4, 4],
    [0, { maxSurge: "50%", maxUnavailable: "50%" }, 0, 1],
  ])("of %i replicas with %j are %i above and %i below", (total, options, surge, unavailable) => {
    expect(replicaLimitsOf(total, options)).toEqual({ total, surge, unavailable });
  });

  it("are 25 % each by default", () => {
    expect(replicaLimitsOf(10)).toEqual({ total: 10, surge: 3, unavailable: 2 });
    expect(replicaLimitsOf(10, { maxSurge: 0 })).toEqual({ total: 10, surge: 0, unavailable: 2 });
  });

  it.each([
    [10, { maxSurge: 0, maxUnavailable: 0 }],
    [10, { maxSurge: "0%", maxUnavailable: "9%" }],
    [0, {}],
  ])(
    "of %i replicas with %j leave one to be unavailable, since nothing could be exchanged otherwise",
    (total, options) => {
      expect(replicaLimitsOf(total, options)).toEqual({ total, surge: 0, unavailable: 1 });
    },
  );

  it.each([
    ["maxSurge", "oops"],
    ["maxSurge", -1],
    ["maxUnavailable", 1.5],
    ["maxUnavailable", "101%"],
    ["maxUnavailable", "-5%"],
    ["maxUnavailable", null],
  ])("say of %s = %j what it may be", (field, value) => {
    expect(replicaLimitsSchema.safeParse({ [field]: value }).error?.issues).toMatchObject([
      { path: [field], message: 'must be a whole number of Pods such as 1, or a percentage from "0%" to "100%"' },
    ]);
  });

  it("name the wrong field, its value and the remedy", () => {
    expect(() => replicaLimitsOf(10, { maxSurge: "oops" })).toThrow(
      'The limits of the replicas: maxSurge = "oops": must be a whole number of Pods such as 1, or a percentage from "0%" to "100%"',
    );
    expect(() => replicaLimitsOf(-1)).toThrow("Replicas: total = -1: must not be negative");
    expect(() => replicaLimitsOf(1.5)).toThrow("Replicas: total = 1.5");
  });
});
