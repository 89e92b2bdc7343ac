import type { IncomingMessage } from "node:http";
import type { Answer } from "../comparison/answer.ts";
import type { MirrorSettings } from "../options.ts";
import { describePath } from "../report/plain-name.ts";
import { copyBody, type BodyCopy } from "../shadow/body-copy.ts";
import { keepThread } from "../shadow/kept-thread.ts";
import type { EndedPair, Outcome, ToShadow } from "../shadow/messages.ts";
import { handedOver } from "../shadow/transfer.ts";
import { isMirrored, shadowRequestHeaders } from "./header-fields.ts";
import type { Log } from "./log.ts";
import { shareOf } from "./share.ts";
import type { RequestName, Tally } from "./tally.ts";

const safeMethods = ["GET", "HEAD", "OPTIONS"];
const threadMemoryMb = 128;

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
  /** Comes back when copies can be sent for the first time. */
  readonly started: Promise<undefined>;
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

  const end = (id: number, outcome: Outcome) => {
    const pair = open.get(id);
    if (pair === undefined) return;
    clearTimeout(pair.limit);
    open.delete(id);
    tally.ended(pair.name, outcome);
  };

  const thread = keepThread<ToShadow, EndedPair>({
    program,
    data: { role: "shadow", settings },
    memoryMb: threadMemoryMb,
    log,
    onMessage: ({ id, outcome }) => {
      end(id, outcome);
    },
    onDown: () => {
      for (const id of open.keys()) end(id, { kind: "notCompared" });
    },
  });

  const begin = (request: IncomingMessage, name: RequestName): Pair => {
    const id = ++lastId;
    const giveUp = () => {
      if (!open.has(id)) return;
      thread.post({ kind: "giveUp", id });
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
        const copy = { method: name.method, target: request.url ?? "/", headers, body };
        thread.post({ kind: "copy", id, copy }, handedOver(body));
      },
      primaryAnswered: (milliseconds, answer, copied) => {
        const body = copied.whole();
        if (body === undefined || !open.has(id)) return;
        clearTimeout(limit);
        const timed = { answer: { ...answer, body }, milliseconds };
        thread.post({ kind: "primaryAnswered", id, timed }, handedOver(body));
      },
      giveUp,
    };
  };

  return {
    started: thread.started,
    pairFor: (request) => {
      const method = request.method ?? "";
      if (!methods.has(method) || isMirrored(request) || !isChosen()) return undefined;
      tally.mirrored();
      const name = { method, path: describePath(request.url ?? "") };
      if (open.size < settings.maximumConcurrency && thread.isRunning()) return begin(request, name);
      tally.ended(name, { kind: "notCompared" });
      return undefined;
    },
    stop: () => thread.stop(),
  };
}
