import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { BasculeError, messageOf } from "@bascule/core";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";

/** What the API server refused, as it says it. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Speaks with one API server. Every answer is parsed; passing faults are tried again until the signal ends it. */
export interface Api {
  /** The base address, for example `https://10.0.0.1:6443`. */
  readonly server: string;
  /** What a connection to it needs: trust, certificate, token. Secret. */
  credentials(): Promise<Credentials>;
  /** @throws ApiError for what the server refuses (404 and 409 among them); BasculeError `unreachable` when the signal ended it */
  send<Schema extends z.ZodType>(request: ApiRequest, schema: Schema, signal: AbortSignal): Promise<z.output<Schema>>;
  /** What is not JSON, such as a log. */
  text(path: string, signal: AbortSignal): Promise<string>;
  /** All items of a list, page by page. */
  list<Schema extends z.ZodType>(
    path: string,
    query: Readonly<Record<string, string>>,
    item: Schema,
    signal: AbortSignal,
  ): Promise<z.output<Schema>[]>;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query, for example `/api/v1/namespaces/shop/services/web`. */
  readonly path: string;
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
}

export interface Credentials {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A server that takes longer than this hangs, and is asked again on a new connection. */
const requestLimitMs = 3_000;
const pauseMs = { first: 50, most: 1_000 };
const pageSize = 500;
const pem = z.union([z.string(), z.instanceof(Buffer).transform((bytes) => bytes.toString("utf8"))]);

export function connectApi(configuration: KubeConfig): Api {
  const server = configuration.getCurrentCluster()?.server ?? "";
  // Idle connections are kept: a switch should not wait for a TLS handshake.
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });

  const credentials = async (): Promise<Credentials> => {
    const options: RequestOptions = {};
    await configuration.applyToHTTPSOptions(options);
    const { ca, cert, key } = options;
    return {
      ...(ca === undefined ? {} : { ca: pem.parse(ca) }),
      ...(cert === undefined ? {} : { cert: pem.parse(cert) }),
      ...(key === undefined ? {} : { key: pem.parse(key) }),
      headers: z
        .record(z.string(), z.string())
        .catch({})
        .parse(options.headers ?? {}),
    };
  };
  let known: Promise<Credentials> | undefined;

  const sendOnce = async (request: ApiRequest, signal: AbortSignal): Promise<unknown> => {
    known ??= credentials();
    const answer = await exchange(
      server,
      agent,
      await known,
      request,
      AbortSignal.any([signal, AbortSignal.timeout(requestLimitMs)]),
    );
    // A token may have run out; the next attempt asks for a new one.
    if (answer.status === 401) known = undefined;
    if (answer.status >= 200 && answer.status < 300) return answer.body === "" ? {} : JSON.parse(answer.body);
    throw new ApiError(
      answer.status,
      statusMessage(answer.body) ?? `${request.method} ${request.path} was answered with ${answer.status}`,
    );
  };

  const send: Api["send"] = async (request, schema, signal) => {
    let pause = pauseMs.first;
    for (;;) {
      try {
        return schema.parse(await sendOnce(request, signal));
      } catch (thrown) {
        if (thrown instanceof z.ZodError)
          throw new ApiError(
            502,
            `${request.method} ${request.path} was answered with something else than expected: ${thrown.message}`,
          );
        if (thrown instanceof ApiError && !isPassing(thrown.status)) throw thrown;
        if (signal.aborted) throw unreachable(server, thrown);
        await sleep(pause, undefined, { signal }).catch(() => {});
        if (signal.aborted) throw unreachable(server, thrown);
        pause = Math.min(pause * 2, pauseMs.most);
      }
    }
  };

  return {
    server,
    credentials,
    send,
    text: async (path, signal) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(requestLimitMs)]);
      const { status, body } = await exchange(server, agent, await credentials(), { method: "GET", path }, limited);
      if (status !== 200) throw new ApiError(status, `GET ${path} was answered with ${status}`);
      return body;
    },
    list: async (path, query, item, signal) => {
      const page = z.looseObject({
        items: z.array(item),
        metadata: z.looseObject({ continue: z.string().optional() }),
      });
      const items: z.output<typeof item>[] = [];
      let next: string | undefined;
      do {
        const parameters = new URLSearchParams({
          ...query,
          limit: String(pageSize),
          ...(next ? { continue: next } : {}),
        });
        const found = await send({ method: "GET", path: `${path}?${parameters.toString()}` }, page, signal);
        items.push(...found.items);
        next = found.metadata.continue;
      } while (next);
      return items;
    },
  };
}

function isPassing(status: number): boolean {
  return status === 401 || status === 429 || status >= 500;
}

function unreachable(server: string, cause: unknown): BasculeError {
  return new BasculeError(
    "unreachable",
    `The Kubernetes API at ${server} did not answer in time: ${messageOf(cause)}. Check that it runs and can be reached from here.`,
    { cause },
  );
}

const statusSchema = z.looseObject({ kind: z.literal("Status"), message: z.string() });

function statusMessage(body: string): string | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(body)).data?.message;
  } catch {
    return undefined;
  }
}

function exchange(
  server: string,
  agent: Agent,
  { headers, ...tls }: Credentials,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const url = new URL(server.replace(/\/$/, "") + request.path);
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const options = {
    method: request.method,
    signal,
    headers: {
      accept: "application/json",
      ...headers,
      ...(body === undefined
        ? {}
        : { "content-type": request.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
    },
  };
  return new Promise((resolve, reject) => {
    const outgoing =
      url.protocol === "https:" ? httpsRequest(url, { ...options, ...tls, agent }) : httpRequest(url, options);
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    outgoing.end(body);
  });
}
