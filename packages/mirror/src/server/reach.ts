import { connect, type LookupFunction } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Place } from "./place.ts";

const attemptLimitMs = 1_000;
const pauseMs = 250;

/** Comes back true when the place has accepted a connection, false when the signal came first. */
export async function untilReached(place: Place, lookup: LookupFunction, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await accepts(place, lookup)) return !signal.aborted;
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  return false;
}

async function accepts(place: Place, lookup: LookupFunction): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ ...place, lookup, timeout: attemptLimitMs });
    const settle = (isAccepted: boolean) => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once("connect", () => {
      settle(true);
    });
    for (const event of ["error", "timeout"]) {
      socket.on(event, () => {
        settle(false);
      });
    }
  });
}
