import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { post } from "./post.ts";

/** What became of orders that were placed one after the other. */
export interface OrdersReport {
  /** Those that were taken: each of them has to be kept for ever. */
  readonly taken: readonly string[];
  /** How many were refused because nobody could write. */
  readonly refused: number;
  /** How many were answered otherwise, with the status; or not at all, with what went wrong. */
  readonly failed: readonly string[];
}

const pauseMs = 20;

/** Places orders at a release's Service, some 40 a second and each once, until it is stopped. */
export function placeOrders(url: string, prefix: string) {
  const taken: string[] = [];
  const failed: string[] = [];
  let refused = 0;
  let isStopped = false;
  const placing = (async () => {
    for (let number = 1; !isStopped; number++) {
      const order = `${prefix}-${number}`;
      try {
        const { status } = await post(url, order);
        if (status === 201) taken.push(order);
        else if (status === 503) refused++;
        else failed.push(`${order}: ${status}`);
      } catch (thrown) {
        failed.push(`${order}: ${String(thrown)}`);
      }
      await sleep(pauseMs);
    }
  })();
  return {
    /** How many were taken so far. */
    count: () => taken.length,
    stop: async (): Promise<OrdersReport> => {
      isStopped = true;
      await placing;
      return { taken, refused, failed };
    },
  };
}

const stateSchema = z.object({
  count: z.number(),
  readOnly: z.boolean(),
  replica: z.string().nullable(),
  lagMs: z.number(),
});

/** One of the stores of the stack orders. */
export function storeAt(address: string) {
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(5_000) })).json();
  return {
    state: async () => stateSchema.parse(await get("/state")),
    orders: async () => new Set(Object.keys(z.record(z.string(), z.string()).parse(await get("/rows")))),
  };
}
