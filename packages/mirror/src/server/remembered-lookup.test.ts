import type { LookupAddress } from "node:dns";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { rememberedLookup } from "./remembered-lookup.ts";

function names() {
  let nowMs = 0;
  const asked: string[] = [];
  let answer: (error: Error | null, addresses: LookupAddress[]) => void = () => {};
  const lookup = rememberedLookup(
    (hostname, answered) => {
      asked.push(hostname);
      answer = answered;
    },
    () => nowMs,
  );
  const ask = (all = false) => {
    const found: unknown[] = [];
    lookup("web.shop", { all }, (error, address, family) => found.push(error?.message ?? address, family));
    return found;
  };
  return {
    ask,
    asked,
    answer: (address: string) => answer(null, [{ address, family: 4 }]),
    fail: () => answer(new Error("no name server"), []),
    pass: (milliseconds: number) => (nowMs += milliseconds),
  };
}

describe("a name", () => {
  it("is asked for once by all who wait for it", () => {
    const { ask, asked, answer } = names();
    const all = [ask(), ask(), ask(true)];
    answer("10.0.0.1");
    expect(asked).toEqual(["web.shop"]);
    expect(all).toEqual([
      ["10.0.0.1", 4],
      ["10.0.0.1", 4],
      [[{ address: "10.0.0.1", family: 4 }], undefined],
    ]);
  });

  it("is known for five seconds, then at once again while it is asked for, and never longer than a minute", async () => {
    const { ask, asked, answer, pass } = names();
    ask();
    answer("10.0.0.1");
    pass(5_000);
    const known = ask();
    expect(known).toEqual([]);
    await turn();
    expect(known[0]).toBe("10.0.0.1");
    expect(asked).toHaveLength(1);

    pass(1);
    const old = ask();
    await turn();
    expect(old[0]).toBe("10.0.0.1");
    expect(asked).toHaveLength(2);
    answer("10.0.0.2");
    const renewed = ask();
    await turn();
    expect(renewed[0]).toBe("10.0.0.2");

    pass(60_001);
    const forgotten = ask();
    await turn();
    expect(forgotten).toEqual([]);
    answer("10.0.0.3");
    expect(forgotten[0]).toBe("10.0.0.3");
  });

  it("is still known while no name server answers", async () => {
    const { ask, answer, fail, pass } = names();
    ask();
    answer("10.0.0.1");
    pass(59_000);
    ask();
    fail();
    const known = ask();
    await turn();
    expect(known[0]).toBe("10.0.0.1");
  });

  it("that was never known fails as the system says", () => {
    const { ask, fail } = names();
    const found = ask();
    fail();
    expect(found[0]).toBe("no name server");
  });
});
