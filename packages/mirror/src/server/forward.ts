import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { answerHeaders, hasBody, primaryRequestHeaders, trailerFields } from "./header-fields.ts";
import type { PrimaryConnections } from "./primary-connections.ts";
import { sentAt } from "./sent-at.ts";
import type { Pair } from "./shadowing.ts";

/** What forwarding needs beside the request. */
export interface Forwarding {
  readonly connections: PrimaryConnections;
  /** The primary's host and port as they stand in a Host header. */
  readonly authority: string;
  /** The mirror is about to end, so that a connection is not to be used again. */
  readonly isStopping: () => boolean;
  readonly primaryFailed: () => void;
}

/** Methods of which a second request does no more than the first (RFC 9110, 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** Forwards a request to the primary and its answer to the client, both as they come, and shows them to the pair. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  pair: Pair | undefined,
  { connections, authority, isStopping, primaryFailed }: Forwarding,
): void {
  const { socket, method } = request;
  const isRepeatable = idempotentMethods.has(method ?? "") && !hasBody(request);
  const outgoing = { method, target: request.url, headers: primaryRequestHeaders(request, authority), isRepeatable };
  // The client asked whether it should send its body; if it is not told to, none will come.
  let isBodyAwaited = request.headers.expect !== undefined;
  // The mirror's own time of day is no part of the primary's answer.
  response.sendDate = false;

  response.on("close", () => {
    // The request to the primary ends with the client's connection.
    if (!response.writableFinished) pair?.giveUp();
  });

  const fail = () => {
    pair?.giveUp();
    // A client that has gone needs no answer, and the primary did not fail.
    if (response.destroyed) return;
    primaryFailed();
    if (response.headersSent) {
      // The client learns that the answer is not whole.
      response.destroy();
      return;
    }
    response.sendDate = true;
    response.writeHead(502, "Bad Gateway", {
      "content-length": 0,
      ...(request.complete && !isStopping() ? {} : { connection: "close" }),
    });
    response.end();
  };

  const attempt = (isFirst: boolean) => {
    const primary = connections.send(socket, outgoing);
    const sent = sentAt(primary);
    let hasAnswered = false;
    primary.on("continue", () => {
      isBodyAwaited = false;
      response.writeContinue();
    });
    primary.on("information", (information) => {
      passInformation(information, response);
    });
    primary.on("response", (answer) => {
      hasAnswered = true;
      relay(answer, sent.elapsedMs());
    });
    primary.on("error", () => {
      request.unpipe(primary);
      request.resume();
      if (hasAnswered) return;
      if (isFirst && isRepeatable && primary.reusedSocket && !response.destroyed) attempt(false);
      else fail();
    });
    sendBody(primary);
  };

  const sendBody = (primary: ClientRequest) => {
    if (!hasBody(request)) {
      primary.end();
      return;
    }
    const copy = pair?.copyOfBody();
    if (copy !== undefined) request.on("data", (chunk: Uint8Array) => copy.add(chunk));
    request.on("end", () => {
      if (request.rawTrailers.length > 0) primary.addTrailers(trailerFields(request.rawTrailers));
      primary.end();
      pair?.send(copy);
    });
    if (isBodyAwaited) primary.flushHeaders();
    request.pipe(primary, { end: false });
  };

  const relay = (answer: IncomingMessage, milliseconds: number) => {
    const isLast = isStopping() || !response.shouldKeepAlive || (isBodyAwaited && !request.complete);
    const client = { isHttp11: request.httpVersion !== "1.0", isLast };
    // Otherwise Node says of the connection what the primary did not say.
    if (client.isHttp11) response.removeHeader("connection");
    const status = answer.statusCode ?? 502;
    try {
      response.writeHead(status, answer.statusMessage, answerHeaders(answer, client));
    } catch {
      answer.destroy();
      fail();
      return;
    }
    const copy = pair?.copyOfBody();
    if (copy !== undefined) answer.on("data", (chunk: Uint8Array) => copy.add(chunk));
    const finish = () => {
      if (answer.rawTrailers.length > 0) response.addTrailers(trailerFields(answer.rawTrailers));
      response.end();
      if (copy !== undefined) pair?.primaryAnswered(milliseconds, { status, headers: answer.rawHeaders }, copy);
    };
    pipeline(answer, response, { end: false }).then(finish).catch(fail);
    // A body may be long in coming, and the client is to have the head at once.
    setImmediate(() => {
      if (!response.writableEnded) response.flushHeaders();
    });
  };

  try {
    attempt(true);
  } catch {
    fail();
    return;
  }
  // What goes to the primary is written first, at the end of this turn.
  if (!hasBody(request)) setImmediate(() => pair?.send(undefined));
}

/** Passes on what comes before an answer (RFC 9110, 15.2), as far as Node can write it. */
function passInformation({ statusCode, headers }: InformationEvent, response: ServerResponse): void {
  if (statusCode === 102) response.writeProcessing();
  const { link } = headers;
  if (statusCode !== 103 || link === undefined) return;
  try {
    response.writeEarlyHints({ link });
  } catch {
    // It is a hint only, and a malformed one.
  }
}
