import { describe, expect, it } from "vitest";
import { thinProvider } from "./thin-provider.ts";

const outputs = new Set(["weights"]);
const text = '{"release":"web"}';
const declared = { spec: { declared: text, router: 80 }, __provider: "text" };
const kept = { spec: { declared: text, router: 80 }, status: { weights: { v1: 100 } }, __provider: "text" };
const asOne = { release: "web", router: 80, weights: { v1: 100 }, __provider: "text" };

describe("a thin provider", () => {
  it("gives its behaviour flat records, and keeps what comes back under spec and status", async () => {
    const calls: unknown[] = [];
    const provider = thinProvider(
      {
        create: async (news: unknown) => {
          calls.push(news);
          return { id: "web", outs: asOne };
        },
        update: async (id, olds: unknown, news: unknown) => {
          calls.push([id, olds, news]);
          return { outs: asOne };
        },
        read: async (id, props: unknown) => {
          calls.push([id, props]);
          return { id, props: asOne };
        },
        delete: async (id, props: unknown) => {
          calls.push([id, props]);
        },
      },
      outputs,
    );
    expect(await provider.create?.(declared)).toEqual({ id: "web", outs: kept });
    expect(await provider.update?.("web", kept, declared)).toEqual({ outs: kept });
    expect(await provider.read?.("web", kept)).toEqual({ id: "web", props: kept });
    await provider.delete?.("web", kept);
    const news = { release: "web", router: 80, __provider: "text" };
    expect(calls).toEqual([news, ["web", asOne, news], ["web", asOne], ["web", asOne]]);
  });

  it("says of a resource that is gone nothing but that", async () => {
    expect(await thinProvider({ read: async () => ({}) }, outputs).read?.("web", kept)).toEqual({});
  });

  it("names the property that a check refuses as Pulumi knows it, and leaves the inputs as they are", async () => {
    const { check } = thinProvider(
      { check: async () => ({ failures: [{ property: "plan", reason: "wrong" }] }) },
      outputs,
    );
    expect(await check?.({}, declared)).toEqual({
      inputs: declared,
      failures: [{ property: "spec.plan", reason: "wrong" }],
    });
  });

  it.each([
    { replaces: ["release"], replaced: ["spec"] },
    { replaces: [], replaced: [] },
  ])("replaces the resource when its behaviour says $replaces", async ({ replaces, replaced }) => {
    const { diff } = thinProvider({ diff: async () => ({ changes: true, replaces }) }, outputs);
    expect(await diff?.("web", kept, declared)).toEqual({ changes: true, replaces: replaced });
  });

  it.each(["create", "update"] as const)("keeps what a failed %s says of the world in the same way", async (method) => {
    const fail = async () => {
      throw Object.assign(new Error("half-way"), { id: "web", reasons: ["half-way"], properties: asOne });
    };
    const provider = thinProvider({ create: fail, update: fail }, outputs);
    const failed = method === "create" ? provider.create?.(declared) : provider.update?.("web", kept, declared);
    await expect(failed).rejects.toMatchObject({ message: "half-way", id: "web", properties: kept });
  });

  it("leaves a plain failure as it is, and has no method that its behaviour lacks", async () => {
    const failure = new Error("refused");
    const provider = thinProvider({ create: () => Promise.reject(failure) }, outputs);
    await expect(provider.create?.(declared)).rejects.toBe(failure);
    expect(Object.keys(provider)).toEqual(["create"]);
  });
});
