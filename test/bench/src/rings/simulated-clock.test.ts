import { expect, it } from "vitest";
import { createSimulatedClock } from "./simulated-clock.ts";

it("wakes sleepers in the order of their time, and passes no time of its own", async () => {
  const clock = createSimulatedClock(1_000);
  const woken: string[] = [];
  const sleep = async (name: string, durationMs: number) => {
    await clock.sleep(durationMs);
    woken.push(`${name} at ${clock.nowMs()}`);
  };
  await Promise.all([sleep("third", 86_400_000), sleep("first", 10), sleep("second", 20)]);
  expect(woken).toEqual(["first at 1010", "second at 1020", "third at 86401000"]);
});

it("lets no time pass for a sleeper that was woken early", async () => {
  const clock = createSimulatedClock(0);
  const early = new AbortController();
  const sleeping = clock.sleep(5, early.signal);
  early.abort();
  await sleeping;
  await clock.sleep(10);
  expect(clock.nowMs()).toBe(10);
});

it("does not begin to sleep on a signal that was aborted before", async () => {
  const clock = createSimulatedClock(0);
  await clock.sleep(5, AbortSignal.abort());
  expect(clock.nowMs()).toBe(0);
});
