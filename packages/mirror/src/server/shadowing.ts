import type { IncomingMessage } from "node:http";
import { Worker } from "node:worker_threads";
import type { Answer } from "../comparison/answer.ts";
import type { MirrorSettings } from "../options.ts";
import { describePath } from "../report/plain-name.ts";
import { copyBody, type BodyCopy } from "../shadow/body-copy.ts";
import type { FromShadow, Outcome, ToShadow } from "../shadow/messages.ts";
import { isMirrored, shadowRequestHeaders } from "./header-fields.ts";
import type { Log } from "./log.ts";
import { shareOf } from "./share.ts";
import type { RequestName, Tally } from "./tally.ts";

const safeMethods = ["GET", "HEAD", "OPTIONS"];
const restartDelayMs = 1_000;
/** Answers of a candidate may make the comparison need memory; it has to end before the Pod does. */
const threadMemoryMb = 256;

/** One request that is copied, and its answers. Each of its functions is quick and cannot fail, since the client waits. */
export interface Pair {
  /** What of a body is copied as it flows past. */
  copyOfBody(): BodyCopy;
  /** Sends the copy, when the request is whole. */
  send(body: BodyCopy | undefined): void;
  primaryAnswered(milliseconds: number, answer: Omit<Answer, "body">, body: BodyCopy): void;
  /** There will be nothing to compare. */
  giveUp(): void;
}

/** Copies requests to the shadow, in a thread of its own. */
export interface Shadowing {
  /** The request's pair, when it is to be copied. */
  pairFor(request: IncomingMessage): Pair | undefined;
  stop(): Promise<void>;
}

interface OpenPair {
  readonly name: RequestName;
  readonly limit: NodeJS.Timeout;
}

export function startShadowing(settings: MirrorSettings, program: URL, tally: Tally, log: Log): Shadowing {
  const methods: ReadonlySet<string> = new Set([...safeMethods, ...settings.unsafeMethods]);
  const isChosen = shareOf(settings.sharePercent);
  const { host: authority } = new URL(settings.shadow);
  const open = new Map<number, OpenPair>();
  let lastId = 0;
  let isStopping = false;
  let isRunning = false;
  let thread = startThread();

  function startThread(): Worker {
    const started = new Worker(program, {
      workerData: settings,
      // It needs nothing of the environment, which may hold secrets of whoever configured the Pod.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: threadMemoryMb },
    });
    isRunning = true;
    started.on("message", ({ id, outcome }: FromShadow) => {
      end(id, outcome);
    });
    started.on("error", (error: unknown) => {
      log("the comparing thread failed and is started again", { code: codeOf(error) });
    });
    started.on("exit", () => {
      isRunning = false;
      for (const id of open.keys()) end(id, { kind: "notCompared" });
      if (isStopping) return;
      setTimeout(() => {
        if (!isStopping) thread = startThread();
      }, restartDelayMs).unref();
    });
    return started;
  }

  function end(id: number, outcome: Outcome): void {
    const pair = open.get(id);
    if (pair === undefined) return;
    clearTimeout(pair.limit);
    open.delete(id);
    tally.ended(pair.name, outcome);
  }

  const tell = (message: ToShadow, transferred: readonly ArrayBuffer[] = []) => {
    thread.postMessage(message, [...transferred]);
  };

  return {
    pairFor: (request) => {
      const method = request.method ?? "";
      if (!methods.has(method) || isMirrored(request) || !isChosen()) return undefined;
      tally.mirrored();
      const name = { method, path: describePath(request.url ?? "") };
      if (open.size >= settings.maximumConcurrency || !isRunning) {
        tally.ended(name, { kind: "notCompared" });
        return undefined;
      }
      const id = ++lastId;
      const giveUp = () => {
        if (!open.has(id)) return;
        tell({ kind: "giveUp", id });
        end(id, { kind: "notCompared" });
      };
      // An answer of the primary that does not end, such as a stream of events, must not keep its place for ever.
      const limit = setTimeout(giveUp, settings.shadowTimeoutMs);
      open.set(id, { name, limit });
      return {
        copyOfBody: () => copyBody(settings.maximumBodyBytes, giveUp),
        send: (copied) => {
          const body = copied === undefined ? new Uint8Array() : copied.whole();
          if (body === undefined || !open.has(id)) return;
          const headers = shadowRequestHeaders(request, authority, body.length);
          tell({ kind: "copy", id, copy: { method, target: request.url ?? "/", headers, body } }, [body.buffer]);
        },
        primaryAnswered: (milliseconds, answer, copied) => {
          const body = copied.whole();
          if (body === undefined || !open.has(id)) return;
          clearTimeout(limit);
          tell({ kind: "primaryAnswered", id, timed: { answer: { ...answer, body }, milliseconds } }, [body.buffer]);
        },
        giveUp,
      };
    },
    stop: async () => {
      isStopping = true;
      await thread.terminate();
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
