import { type IncomingMessage, type Server } from "node:http";
import { connect, type LookupFunction, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { upgradeRequestHeaders } from "./header-fields.ts";
import type { Place } from "./place.ts";

const connectLimitMs = 5_000;
const unreachable = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** Connections that were handed over, such as WebSockets: no longer requests and answers, but bytes in both directions. */
export interface Tunnels {
  /** Sends the request for an upgrade to the primary, and joins both connections whatever the answer is. */
  open(request: IncomingMessage, client: Duplex, head: Buffer): void;
  /** Ends all of them; by themselves they might never end. */
  end(): void;
}

export function createTunnels(place: Place, lookup: LookupFunction, primaryFailed: () => void): Tunnels {
  const open = new Set<Duplex>();
  return {
    open: (request, client, head) => {
      const primary = connect({ ...place, lookup, noDelay: true, keepAlive: true });
      primary.setTimeout(connectLimitMs, () => primary.destroy(new Error("The primary accepts no connection.")));
      let isConnected = false;
      open.add(client);
      client.on("close", () => {
        open.delete(client);
        primary.destroy();
      });
      client.on("error", () => primary.destroy());
      primary.on("error", () => {
        if (isConnected) {
          client.destroy();
          return;
        }
        primaryFailed();
        client.end(unreachable);
      });
      primary.on("close", () => {
        if (isConnected) client.end();
      });
      primary.on("connect", () => {
        isConnected = true;
        primary.setTimeout(0);
        primary.write(headOf(request), "latin1");
        primary.write(head);
        primary.pipe(client);
        client.pipe(primary);
      });
    },
    end: () => {
      for (const client of open) client.end();
    },
  };
}

/** Whether it is an upgrade to HTTP/2, which some clients offer with any request, and which a server need not take up. */
export function offersHttp2(request: IncomingMessage): boolean {
  return request.headers.upgrade?.split(",").some((protocol) => protocol.trim().toLowerCase() === "h2c") === true;
}

/**
 * Hands a connection back to the server, with its request but without the upgrade: it is then answered like any other, as by a
 * server that knows no HTTP/2.
 */
export function declineUpgrade(server: Server, request: IncomingMessage, client: Socket, head: Buffer): void {
  const dropped = new Set(["upgrade", "connection", "http2-settings"]);
  const fields = upgradeRequestHeaders(request).filter(([name]) => !dropped.has(name.toLowerCase()));
  client.unshift(Buffer.concat([Buffer.from(textOf(request, fields), "latin1"), head]));
  server.emit("connection", client);
}

function headOf(request: IncomingMessage): string {
  return textOf(request, upgradeRequestHeaders(request));
}

function textOf(
  { method = "GET", url = "/", httpVersion }: IncomingMessage,
  fields: readonly (readonly [string, string])[],
): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
