import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as requestHttps, type RequestOptions } from "node:https";

/** An answer, whole or cut at the size limit. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case, as Node gives them. */
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly isCut: boolean;
}

export interface HttpQuestion {
  readonly url: URL;
  /** The path and query as they go over the wire. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key" | "servername">;
  readonly maxBodyBytes: number;
  readonly onConnected: () => void;
}

/**
 * Asks once, on a connection that is opened for this question and closed after its answer. A kept connection would go on asking
 * whoever it once led to, long after the address leads elsewhere.
 *
 * @throws what Node throws when there is no complete answer, or when the signal is aborted
 */
export async function ask(question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  const { url, maxBodyBytes } = question;
  const isSecure = url.protocol === "https:";
  const request = (isSecure ? requestHttps : requestHttp)({
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    path: question.path,
    method: question.method,
    headers: { ...question.headers, ...lengthOf(question.body) },
    // No pool, no kept connection, no TLS session taken up again.
    agent: false,
    ...(isSecure ? { ...question.tls, rejectUnauthorized: true } : {}),
    signal,
  });
  request.once("socket", (socket) => socket.once(isSecure ? "secureConnect" : "connect", question.onConnected));
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve);
      request.on("error", reject);
      request.end(question.body);
    });
    const body = await readUpTo(maxBodyBytes, response);
    return { status: response.statusCode ?? 0, headers: response.headers, ...body };
  } finally {
    request.destroy();
  }
}

async function readUpTo(maxBytes: number, response: IncomingMessage): Promise<Pick<HttpAnswer, "body" | "isCut">> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  return new Promise((resolve, reject) => {
    const finish = () => {
      const body = Buffer.concat(chunks).subarray(0, maxBytes).toString("utf8");
      resolve({ body, isCut: lengthBytes > maxBytes });
    };
    response.on("data", (chunk: Buffer) => {
      if (lengthBytes > maxBytes) return;
      chunks.push(chunk);
      lengthBytes += chunk.length;
      if (lengthBytes > maxBytes) finish();
    });
    response.once("end", finish);
    response.on("error", reject);
  });
}

function lengthOf(body: string | undefined): Readonly<Record<string, string>> {
  return body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
}
