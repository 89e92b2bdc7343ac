import {
  createServer as createHttpServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
} from "node:http";
import { connect, createServer as createSocketServer, type Server as SocketServer, type Socket } from "node:net";

/** A server of a test, at an address of its own. */
export interface Backend {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** Answers every request by the listener. */
export async function serveHttp(
  listener: RequestListener,
  prepare: (server: Server) => void = () => {},
  port = 0,
): Promise<Backend> {
  const server = createHttpServer({ requireHostHeader: false }, listener);
  prepare(server);
  return await started(
    server,
    () => {
      server.closeAllConnections();
    },
    port,
  );
}

/** Gives every connection to the listener, for what an HTTP server would not do. */
export async function serveSocket(listener: (socket: Socket) => void): Promise<Backend> {
  const open = new Set<Socket>();
  const server = createSocketServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    listener(socket);
  });
  return await started(server, () => {
    for (const socket of open) socket.destroy();
  });
}

/** A port where nobody listens. */
export async function unusedPort(): Promise<number> {
  const backend = await serveSocket(() => {});
  await backend.close();
  return backend.port;
}

/** What a server says in answer to bytes, until it closes the connection or has said nothing for a while. */
export async function exchange(port: number, sent: string, quietMs = 200): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => socket.write(sent, "latin1"));
    socket.setTimeout(quietMs, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      resolve(Buffer.concat(chunks).toString("latin1"));
    });
  });
}

async function started(server: SocketServer, closeConnections: () => void, port = 0): Promise<Backend> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      closeConnections();
      await closed;
    },
  };
}

type AskOptions = Pick<RequestOptions, "agent" | "method"> & { readonly headers?: Readonly<Record<string, string>> };

/** Sends a request, and gives the status and the body of the answer, for example `200 ok`. */
export async function ask(url: string, options: AskOptions = {}, body?: string | Uint8Array): Promise<string> {
  return await new Promise((resolve, reject) => {
    // Node gives no length of its own to the body of a DELETE.
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const outgoing = request(url, { ...options, headers: { ...options.headers, ...length } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        resolve(`${answer.statusCode ?? 0} ${Buffer.concat(chunks).toString()}`);
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** The answer to a request, when its head has come. */
export async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve) => outgoing.once("response", resolve));
}
