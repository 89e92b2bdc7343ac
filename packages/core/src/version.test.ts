import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { versionId } from "./version.ts";

it("a version is named by its release and a digest of its content", () => {
  expect(versionId("web", { image: "web:1.5" })).toMatch(/^web-[0-9a-f]{8}$/);
  expect(versionId("web", { image: "web:1.5" })).toBe("web-314e3510");
});

it("the same content has the same name, whatever the order of its keys", () => {
  expect(versionId("web", { image: "web:1.5", env: { A: "1", B: "2" } })).toBe(
    versionId("web", { env: { B: "2", A: "1" }, image: "web:1.5" }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (content) => {
      const turned = Object.fromEntries(Object.entries(content).reverse());
      expect(versionId("web", turned)).toBe(versionId("web", content));
    }),
  );
});

it("other content, another order of a list or another release has another name", () => {
  const names = [
    versionId("web", { args: ["a", "b"] }),
    versionId("web", { args: ["b", "a"] }),
    versionId("web", { args: ["a"] }),
    versionId("web", { args: ["a", "b"], replicas: null }),
    versionId("api", { args: ["a", "b"] }),
  ];
  expect(new Set(names).size).toBe(names.length);
});

it("what is not JSON has no canonical text", () => {
  expect(() => canonicalJson(undefined)).toThrow("Only JSON values have a canonical text");
  expect(canonicalJson({ b: 1, a: [1e21, "é"] })).toBe('{"a":[1e+21,"é"],"b":1}');
});
