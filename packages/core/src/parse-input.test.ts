import { describe, expect, it } from "vitest";
import { z } from "zod";
import { changeSchema, environmentOf } from "./change.ts";
import { BasculeError } from "./errors.ts";
import { parseInput } from "./parse-input.ts";
import { http, probeSchema, tcp } from "./probe.ts";

const schema = z.strictObject({
  replicas: z.int({ error: "must be a whole number" }).min(0, { error: "must be 0 or more" }).optional(),
  change: changeSchema.optional(),
  verify: z.array(probeSchema).optional(),
});

function messageFor(input: unknown): string {
  try {
    parseInput(schema, input, 'BlueGreenDeployment "web"');
  } catch (thrown) {
    if (thrown instanceof BasculeError && thrown.code === "invalid-input") return thrown.message;
    throw thrown;
  }
  throw new Error("The input was accepted.");
}

describe("what a user wrote", () => {
  it("comes back typed when it is right", () => {
    expect(parseInput(schema, { replicas: 3, verify: [http("/health"), tcp()] }, "it")).toMatchObject({ replicas: 3 });
  });

  it.each<[string, unknown, string]>([
    ["an unknown field", { replica: 3 }, "replica is not a known field: remove it or correct its spelling"],
    [
      "unknown fields deep within",
      { change: { id: "a", titel: "x", grund: "y" } },
      "change.titel, change.grund is not a known field",
    ],
    ["a wrong value", { replicas: -1 }, "replicas = -1: must be 0 or more"],
    ["a value of another kind", { replicas: "three" }, 'replicas = "three": must be a whole number'],
    ["a field that is missing", { change: {} }, "change.id is missing: give it a value of type string."],
    ["an id that is no file name", { change: { id: "../x" } }, 'change.id = "../x": must be 1 to 100 letters'],
    [
      "a window without a zone",
      { change: { id: "a", window: { start: "2026-01-01T00:00", end: "2026-01-01T01:00" } } },
      "change.window.timeZone is missing: is required: name an IANA time zone such as Europe/Paris",
    ],
    [
      "a list's element",
      { verify: [http("/ok"), http("health")] },
      'verify[1].path = "health": must be a path that starts with /',
    ],
    ["something that is no probe", { verify: ["http"] }, 'verify[0] = "http": '],
    [
      "a probe's expectation",
      { verify: [http("/", { expect: { json: [{ path: "status", equals: 1 }] } })] },
      'verify[0].expect.json[0].path = "status": must be a JSON path that starts with $, for example $.status',
    ],
    ["arguments that are none", "web", 'the arguments = "web": expected object'],
    ["no arguments", undefined, "the arguments is missing: give it a value of type object"],
  ])("names the field, the value and the remedy for %s", (_name, input, expected) => {
    expect(messageFor(input)).toContain(expected);
  });

  it("is one message about everything that is wrong, which says where and that nothing was changed", () => {
    expect(messageFor({ replicas: -1, colour: "green" })).toBe(
      'BlueGreenDeployment "web": replicas = -1: must be 0 or more; colour is not a known field: remove it or correct its spelling. Nothing was changed.',
    );
  });

  it("is cut in the message when it is long", () => {
    const message = messageFor({ replicas: "x".repeat(500) });
    expect(message).toContain(`replicas = "${"x".repeat(76)}…: `);
  });
});

describe("the environment of a stack", () => {
  it.each([
    ["dev", "dev"],
    ["organisation/project/test", "test"],
    ["prod", "prod"],
    ["staging", "prod"],
    ["dev-2", "prod"],
    ["", "prod"],
  ])("%s is %s: what is not known is production", (stack, environment) => {
    expect(environmentOf(stack)).toBe(environment);
  });
});

describe("a probe", () => {
  it("is data that its own schema accepts, named after what it does", () => {
    expect(probeSchema.parse(http("/health", { expect: { status: 200 } }))).toEqual({
      kind: "http",
      name: "http /health",
      path: "/health",
      expect: { status: 200 },
    });
    expect(probeSchema.parse(tcp({ name: "port" }))).toEqual({ kind: "tcp", name: "port" });
  });

  it("keeps its version header in lower case, as Node reads headers", () => {
    expect(probeSchema.parse(http("/", { versionHeader: "X-Release" }))).toMatchObject({ versionHeader: "x-release" });
  });
});
