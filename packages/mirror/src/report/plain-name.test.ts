import { describe, expect, it } from "vitest";
import { describePath, isPlainName } from "./plain-name.ts";

describe("a name in a report", () => {
  it.each(["items", "updatedAt", "line_1", "v2", "x-request-id", "$ref", "_links", "address2"])("may be %s", (name) => {
    expect(isPlainName(name)).toBe(true);
  });

  it.each(["jean@example.fr", "42", "user-1234", "0612345678", "3f9ac2", "a b", "é", "", "x".repeat(41), "a.b"])(
    "may not be “%s”",
    (name) => {
      expect(isPlainName(name)).toBe(false);
    },
  );
});

describe("the path of a request in a report", () => {
  it.each([
    ["/", "/"],
    ["/api/v1/orders?customer=jean", "/api/v1/orders"],
    ["/api/v1/orders/12345/lines", "/api/v1/orders/{…}/lines"],
    ["/people/jean@example.fr", "/people/{…}"],
    ["/files/report.pdf", "/files/report.pdf"],
    ["/a/0b3c7f64-12aa-4a1c-a1cf-77df0c3b2f5e", "/a/{…}"],
    ["/caf%C3%A9", "/{…}"],
    ["*", "*"],
    ["/list/", "/list/"],
  ])("of %s is %s", (target, shown) => {
    expect(describePath(target)).toBe(shown);
  });
});
