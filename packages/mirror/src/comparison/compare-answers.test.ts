import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { mirrorOptionsSchema } from "../options.ts";
import type { Answer } from "./answer.ts";
import { compareAnswers, comparisonRules } from "./compare-answers.ts";

const canary = "canary-7f3e9a51c2";

function answer(
  body: string | Uint8Array,
  { status = 200, headers = ["Content-Type", "application/json"] } = {},
): Answer {
  return { status, headers, body: typeof body === "string" ? Buffer.from(body) : body };
}

function rules(options: { ignore?: string[]; compareHeaders?: string[]; maximumBodyBytes?: number } = {}) {
  return comparisonRules(mirrorOptionsSchema.parse({ primary: "http://a:1", shadow: "http://b:1", ...options }));
}

const compareJsonTexts = (primary: string, shadow: string, ignore: string[] = []) =>
  compareAnswers(answer(primary), answer(shadow), rules({ ignore }));

describe("JSON bodies", () => {
  it.each([
    ["the order of fields", `{"a":1,"b":[1,{"c":null}]}`, `{"b":[1,{"c":null}],"a":1}`],
    ["white space", `{"a":[1,2]}`, `{ "a" : [ 1,\n 2 ] }`],
    ["how a number is written", `{"a":1.0}`, `{"a":1}`],
    ["how a text is escaped", `{"a":"é"}`, `{"a":"\\u00e9"}`],
  ])("are the same whatever %s", (_what, primary, shadow) => {
    expect(compareJsonTexts(primary, shadow)).toEqual([]);
  });

  it.each([
    ["another value", `{"a":1}`, `{"a":2}`, "$.a", "number", "number"],
    ["another type", `{"a":1}`, `{"a":"1"}`, "$.a", "number", "string"],
    ["null instead of a value", `{"a":1}`, `{"a":null}`, "$.a", "number", "null"],
    ["a field less", `{"a":{"b":true}}`, `{"a":{}}`, "$.a.b", "boolean", "absent"],
    ["a field more", `{}`, `{"a":[]}`, "$.a", "absent", "array"],
    ["an array instead of an object", `{"a":{}}`, `{"a":[]}`, "$.a", "object", "array"],
    ["another order of items", `["a",2]`, `[2,"a"]`, "$[*]", "string", "number"],
    ["an item more", `[1]`, `[1,{}]`, "$[*]", "absent", "object"],
    ["a document of another type", `[]`, `"text"`, "$", "array", "string"],
    ["null instead of no field", `{}`, `{"a":null}`, "$.a", "absent", "null"],
    [
      "a long number that rounds to the same",
      `{"id":12345678901234567890}`,
      `{"id":12345678901234567891}`,
      "$.id",
      "number",
      "number",
    ],
    ["a field of a name that objects have", `{"__proto__":1}`, `{"__proto__":2}`, "$.__proto__", "number", "number"],
    ["a field named like a method", `{}`, `{"toString":1}`, "$.toString", "absent", "number"],
  ])("differ in %s", (_what, primary, shadow, at, ofPrimary, ofShadow) => {
    expect(compareJsonTexts(primary, shadow)).toContainEqual({
      what: "body",
      at,
      primary: ofPrimary,
      shadow: ofShadow,
    });
  });

  it("name the same place in many items once, by a path that can be ignored as it stands", () => {
    const items = (price: number) =>
      JSON.stringify({ items: Array.from({ length: 1_000 }, () => ({ price, name: "a" })) });

    const found = compareJsonTexts(items(1), items(2));
    expect(found).toEqual([{ what: "body", at: "$.items[*].price", primary: "number", shadow: "number" }]);
    expect(compareJsonTexts(items(1), items(2), [found?.[0]?.at ?? ""])).toEqual([]);
  });

  it.each([
    ["$.host", `{"host":"a","b":1}`, `{"host":"c","b":1}`],
    ["$.items[*].updatedAt", `{"items":[{"updatedAt":1},{"updatedAt":2}]}`, `{"items":[{"updatedAt":3},{}]}`],
    ["$..requestId", `{"requestId":1,"a":[{"requestId":2}]}`, `{"requestId":3,"a":[{"requestId":4}]}`],
    ["$['odd name']", `{"odd name":1}`, `{"odd name":2}`],
    ["$.items[?@.kind=='ad']", `{"items":[{"kind":"ad","n":1}]}`, `{"items":[{"kind":"ad","n":2}]}`],
    ["$.items[1:]", `{"items":[1]}`, `{"items":[1,2,3]}`],
    ["$", `[1]`, `{"a":1}`],
    ["$.a", `{}`, `{"a":1}`],
  ])("may differ at %s when that is ignored", (path, primary, shadow) => {
    expect(compareJsonTexts(primary, shadow)).not.toEqual([]);
    expect(compareJsonTexts(primary, shadow, [path])).toEqual([]);
  });

  it("differ beside what is ignored", () => {
    expect(compareJsonTexts(`{"host":"a","b":1}`, `{"host":"c","b":2}`, ["$.host"])).toEqual([
      { what: "body", at: "$.b", primary: "number", shadow: "number" },
    ]);
  });

  it("are compared however deeply they are nested", () => {
    const nested = (inner: string) => "[".repeat(50_000) + inner + "]".repeat(50_000);

    expect(compareJsonTexts(nested("1"), nested("1 "))).toEqual([]);
    expect(compareJsonTexts(nested("1"), nested("2"))).toHaveLength(1);
  });

  it("are compared with half a million items", () => {
    const many = (last: string) => `[${"1,".repeat(500_000)}${last}]`;
    expect(compareJsonTexts(many("1"), many("2"))).toHaveLength(1);
  });

  it("are not compared when they are nested deeper than a path to ignore can be followed", () => {
    const nested = (inner: string) => `${"[".repeat(1_000)}${inner}${"]".repeat(1_000)}`;
    expect(compareJsonTexts(nested("1"), nested("2"), ["$..a"])).toBeUndefined();
  });

  it("differ as a whole when the shadow's is no JSON", () => {
    expect(compareJsonTexts(`{"a":1}`, "<html>")).toEqual([
      { what: "body", at: "$", primary: "JSON", shadow: "bytes" },
    ]);
    expect(compareJsonTexts(`{"a":1}`, "")).toEqual([{ what: "body", at: "$", primary: "JSON", shadow: "empty" }]);
  });

  it.each(["application/json", "application/problem+json; charset=utf-8", "Application/JSON", "text/json"])(
    "are recognised by %s",
    (type) => {
      const headers = ["content-type", type];
      expect(compareAnswers(answer(`{"a":1}`, { headers }), answer(`{ "a":1 }`, { headers }), rules())).toEqual([]);
    },
  );
});

describe("other bodies", () => {
  const headers = ["content-type", "text/plain"];

  it("are compared byte by byte", () => {
    const of = (text: string) => answer(text, { headers });
    expect(compareAnswers(of(`{"a":1}`), of(`{"a":1}`), rules())).toEqual([]);
    expect(compareAnswers(of(`{"a":1}`), of(`{ "a":1}`), rules())).toEqual([
      { what: "body", primary: "bytes", shadow: "bytes" },
    ]);
  });

  it("are compared so when they only claim to be JSON", () => {
    expect(compareJsonTexts("{", "{ ")).toEqual([{ what: "body", primary: "bytes", shadow: "bytes" }]);
  });
});

describe("compressed bodies", () => {
  const json = ["content-type", "application/json"];

  it("are compared by what they hold", () => {
    const gzip = answer(gzipSync(`{"a":1,"b":2}`), { headers: [...json, "content-encoding", "gzip"] });
    const brotli = answer(brotliCompressSync(`{"b":2,"a":1}`), { headers: [...json, "Content-Encoding", "br"] });
    const twice = answer(gzipSync(gzipSync(`{"b":2,"a":1}`)), { headers: [...json, "content-encoding", "gzip, gzip"] });
    const plain = answer(`{"a":1,"b":3}`);

    expect(compareAnswers(gzip, brotli, rules())).toEqual([]);
    expect(compareAnswers(gzip, twice, rules())).toEqual([]);
    expect(compareAnswers(gzip, plain, rules())).toMatchObject([{ at: "$.b" }]);
  });

  it("are not compared when they would grow beyond the limit", () => {
    const bomb = answer(gzipSync(Buffer.alloc(100_000)), { headers: ["content-encoding", "gzip"] });
    expect(compareAnswers(bomb, answer("x"), rules({ maximumBodyBytes: 10_000 }))).toBeUndefined();
  });

  it("are compared as they are when they are not what they claim", () => {
    const broken = answer("no gzip", { headers: ["content-encoding", "gzip"] });
    expect(compareAnswers(broken, broken, rules())).toEqual([]);
    expect(compareAnswers(broken, answer("other", { headers: [] }), rules({ compareHeaders: [] }))).toHaveLength(1);
  });
});

describe("status and headers", () => {
  it("differ in the status", () => {
    expect(compareAnswers(answer("{}"), answer("{}", { status: 500 }), rules())).toEqual([
      { what: "status", primary: "200", shadow: "500" },
    ]);
  });

  it("differ in the headers that are compared, and only in these", () => {
    const primary = answer("", { headers: ["Location", "/a", "Date", "1", "Set-Cookie", "a=1", "Set-Cookie", "b=1"] });
    const shadow = answer("", { headers: ["date", "2", "set-cookie", "a=1"] });

    expect(compareAnswers(primary, shadow, rules())).toEqual([
      { what: "header", at: "location", primary: "present", shadow: "absent" },
    ]);
    expect(compareAnswers(primary, shadow, rules({ compareHeaders: ["Set-Cookie"] }))).toEqual([
      { what: "header", at: "set-cookie", primary: "present", shadow: "present" },
    ]);
  });
});

describe("what is told of a difference", () => {
  it("holds nothing of the content, not even the keys of a map", () => {
    const primary = answer(`{"token":"${canary}","users":{"${canary}":{"name":"${canary}"}}}`, {
      headers: ["content-type", "application/json", "location", canary],
    });
    const shadow = answer(`{"token":"x","users":{"${canary}":{"name":1}},"${canary}":1}`);
    const found = compareAnswers(primary, shadow, rules());

    expect(found).toHaveLength(4);
    expect(found).toContainEqual({ what: "body", at: "$.users[*].name", primary: "string", shadow: "number" });
    expect(JSON.stringify(found)).not.toContain(canary);
  });

  it("is bounded for each pair of answers", () => {
    const fields = (value: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: 26 ** 2 }, (_field, index) => [nameOf(index), value])));
    expect(compareJsonTexts(fields(1), fields(2))).toHaveLength(20);
  });
});

function nameOf(index: number): string {
  return String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26));
}
