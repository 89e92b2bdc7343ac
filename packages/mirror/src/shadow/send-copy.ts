import { request, type Agent, type ClientRequest, type IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import { maximumHeaderBytes } from "../server/header-limit.ts";
import type { Place } from "../server/place.ts";
import { sentAt } from "../server/sent-at.ts";
import { copyBody } from "./body-copy.ts";
import type { RequestCopy, ShadowFailure, TimedAnswer } from "./messages.ts";

/** Where copies go. */
export interface ShadowTarget {
  readonly place: Place;
  readonly agent: Agent;
  readonly lookup: LookupFunction;
  readonly maximumBodyBytes: number;
  readonly timeoutMs: number;
}

/** What a copy led to. */
export type ShadowResult =
  | { readonly kind: "answered"; readonly timed: TimedAnswer }
  | { readonly kind: "tooLarge" }
  | { readonly kind: "failed"; readonly why: ShadowFailure };

const repeatable: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** Sends a copy and calls back once, unless it was cancelled before. Gives what cancels it. */
export function sendCopy(target: ShadowTarget, copy: RequestCopy, done: (result: ShadowResult) => void): () => void {
  let current: ClientRequest | undefined;
  let isDone = false;
  const cancel = () => {
    if (isDone) return;
    isDone = true;
    clearTimeout(limit);
    current?.destroy();
  };
  const finish = (result: ShadowResult) => {
    if (isDone) return;
    cancel();
    done(result);
  };
  const limit = setTimeout(() => {
    finish({ kind: "failed", why: "timeout" });
  }, target.timeoutMs);

  const isRepeatable = repeatable.includes(copy.method) && copy.body.length === 0;
  const attempt = (isFirst: boolean) => {
    const outgoing = request({
      ...target.place,
      method: copy.method,
      path: copy.target,
      headers: copy.headers,
      // A kept connection may have been closed at the other end: what cannot be sent again, or is, takes a new one.
      agent: isRepeatable && isFirst ? target.agent : false,
      lookup: target.lookup,
      maxHeaderSize: maximumHeaderBytes,
    });
    current = outgoing;
    const sent = sentAt(outgoing);
    outgoing.on("response", (response) => {
      const milliseconds = sent.elapsedMs();
      collect(response, target.maximumBodyBytes, milliseconds, finish);
    });
    outgoing.on("error", (error) => {
      if (isFirst && isRepeatable && outgoing.reusedSocket && !isDone) attempt(false);
      else finish({ kind: "failed", why: failureOf(error) });
    });
    outgoing.end(copy.body.length === 0 ? undefined : copy.body);
  };
  try {
    attempt(true);
  } catch {
    // A target that Node's parser takes and its client does not.
    queueMicrotask(() => {
      finish({ kind: "failed", why: "no answer" });
    });
  }
  return cancel;
}

function collect(
  response: IncomingMessage,
  maximumBytes: number,
  milliseconds: number,
  finish: (result: ShadowResult) => void,
): void {
  const body = copyBody(maximumBytes, () => {
    finish({ kind: "tooLarge" });
  });
  response.on("data", (chunk: Uint8Array) => {
    body.add(chunk);
  });
  response.on("error", () => {
    finish({ kind: "failed", why: "cut" });
  });
  response.on("end", () => {
    const whole = body.whole();
    if (whole === undefined) return;
    const answer = { status: response.statusCode ?? 0, headers: response.rawHeaders, body: whole };
    finish({ kind: "answered", timed: { answer, milliseconds } });
  });
}

function failureOf(error: NodeJS.ErrnoException): ShadowFailure {
  switch (error.code) {
    case "ECONNREFUSED":
      return "refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "unknown name";
    default:
      return "no answer";
  }
}
