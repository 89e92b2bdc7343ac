import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@bascule/core";
import { ask } from "./backend.fake.ts";

/** How requests are sent: evenly, whatever becomes of the ones before. */
export interface Load {
  readonly ratePerSecond: number;
  readonly count: number;
}

export interface LoadOutcome {
  /** Of the requests answered by 200, in milliseconds. */
  readonly milliseconds: number[];
  /** What became of the others. */
  readonly lost: string[];
}

/** Sends requests over kept connections, and comes back when each has come to its end. */
export async function loadOf(url: string, { ratePerSecond, count }: Load): Promise<LoadOutcome> {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  const outcome: LoadOutcome = { milliseconds: [], lost: [] };
  const startedAt = performance.now();
  const requests: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    const waitMs = startedAt + (index * 1_000) / ratePerSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    requests.push(measure(url, agent, outcome));
  }
  await Promise.all(requests);
  agent.destroy();
  return outcome;
}

/** The value that so many per cent of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? Number.NaN;
}

async function measure(url: string, agent: Agent, { milliseconds, lost }: LoadOutcome): Promise<void> {
  const startedAt = performance.now();
  try {
    const answer = await ask(url, { agent });
    if (answer.startsWith("200 ")) milliseconds.push(performance.now() - startedAt);
    else lost.push(answer);
  } catch (thrown) {
    lost.push(messageOf(thrown));
  }
}
