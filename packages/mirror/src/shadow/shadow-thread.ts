import { Agent } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { parseInput } from "@bascule/core";
import { comparisonRules } from "../comparison/compare-answers.ts";
import { mirrorOptionsSchema } from "../options.ts";
import { placeOf } from "../server/place.ts";
import { rememberedLookup } from "../server/remembered-lookup.ts";
import type { ToShadow } from "./messages.ts";
import { joinPairs } from "./pairs.ts";
import { sendCopy, type ShadowTarget } from "./send-copy.ts";

/** Runs in a thread of its own: sends copies to the shadow, and compares. */
export function runShadowThread(): void {
  const port = parentPort;
  if (port === null) throw new Error("The shadow's part of the mirror runs in a thread of its own, not as a program.");
  const settings = parseInput(mirrorOptionsSchema, workerData, "BASCULE_MIRROR");
  const target: ShadowTarget = {
    place: placeOf(settings.shadow),
    agent: new Agent({ keepAlive: true, maxSockets: settings.maximumConcurrency, scheduling: "fifo" }),
    lookup: rememberedLookup(),
    maximumBodyBytes: settings.maximumBodyBytes,
    timeoutMs: settings.shadowTimeoutMs,
  };
  const handle = joinPairs(
    (copy, done) => sendCopy(target, copy, done),
    comparisonRules(settings),
    (message) => {
      port.postMessage(message);
    },
  );
  port.on("message", (message: ToShadow) => {
    handle(message);
  });
}
