import { Agent } from "node:http";
import { parentPort } from "node:worker_threads";
import type { MirrorSettings } from "../options.ts";
import type { Log } from "../server/log.ts";
import { placeOf } from "../server/place.ts";
import { rememberedLookup } from "../server/remembered-lookup.ts";
import { keepThread, type Ready } from "./kept-thread.ts";
import type { Compared, EndedPair, ToCompare, ToShadow } from "./messages.ts";
import { joinPairs, type PairJoining } from "./pairs.ts";
import { sendCopy, type ShadowTarget } from "./send-copy.ts";
import { handedOver } from "./transfer.ts";

const mebibyte = 1024 * 1024;

/**
 * Sends copies to the shadow, in a thread of its own, so that no shadow can hold up the primary's answers. It has them compared
 * in yet another, so that a comparison does not count as the shadow's time.
 */
export function runShadowThread(settings: MirrorSettings, program: URL, log: Log): void {
  const tell = (message: EndedPair | Ready) => parentPort?.postMessage(message);
  const target: ShadowTarget = {
    place: placeOf(settings.shadow),
    agent: new Agent({ keepAlive: true, maxSockets: settings.maximumConcurrency, scheduling: "fifo" }),
    lookup: rememberedLookup(),
    maximumBodyBytes: settings.maximumBodyBytes,
    timeoutMs: settings.shadowTimeoutMs,
  };
  const comparison = keepThread<ToCompare, Compared>({
    program,
    data: { role: "comparison", settings },
    // The objects of a JSON text take up to some twenty times its bytes, and there are two of them and their places.
    memoryMb: 128 + 128 * Math.ceil(settings.maximumBodyBytes / mebibyte),
    log,
    onMessage: ({ id, differences }) => pairs.compared(id, differences),
    onDown: () => pairs.comparisonFailed(),
  });
  const pairs: PairJoining = joinPairs({
    send: (copy, done) => sendCopy(target, copy, done),
    compare: (answers) => {
      if (!comparison.isRunning()) pairs.compared(answers.id, undefined);
      else comparison.post(answers, handedOver(answers.primary.body, answers.shadow.body));
    },
    tell,
  });
  parentPort?.on("message", (message: ToShadow) => {
    pairs.told(message);
  });
  void comparison.started.then(() => tell({ kind: "ready" }));
}
