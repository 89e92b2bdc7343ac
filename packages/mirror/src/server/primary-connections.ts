import { Agent, request, type ClientRequest } from "node:http";
import type { LookupFunction, Socket } from "node:net";
import { maximumHeaderBytes } from "./header-limit.ts";
import type { Place } from "./place.ts";

/** How long a connection may take to be made. */
const connectLimitMs = 5_000;
/** A request that cannot be repeated goes over a kept connection only when that was used so recently: servers close idle ones after a few seconds at the soonest. */
const trustedIdleMs = 1_000;

/** What is sent to the primary. */
export interface Outgoing {
  readonly method: string | undefined;
  /** The request's target: path and query. */
  readonly target: string | undefined;
  readonly headers: readonly string[];
  /** It may be sent again over a new connection, when a kept one turns out to be closed. */
  readonly isRepeatable: boolean;
}

/** Makes requests to the primary: each client's connection has one of its own there. */
export interface PrimaryConnections {
  /** @throws TypeError when the target holds a character that must not be in one */
  send(client: Socket, outgoing: Outgoing): ClientRequest;
}

/**
 * One connection to the primary for each connection of a client, as if the mirror were not there: the primary's Service then
 * spreads clients over its Pods as ever, and what a Pod says of its connection is true of the client's.
 */
export function primaryConnections(place: Place, lookup: LookupFunction): PrimaryConnections {
  const agents = new WeakMap<Socket, ClientAgent>();

  const agentOf = (client: Socket): ClientAgent => {
    const known = agents.get(client);
    if (known !== undefined) return known;
    const created = { agent: new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 }), usedAtMs: 0 };
    agents.set(client, created);
    client.once("close", () => {
      created.agent.destroy();
    });
    return created;
  };

  return {
    send: (client, { method, target, headers, isRepeatable }) => {
      const own = agentOf(client);
      // A client that sends its next request before it has the answer has no idle connection here.
      if (!isRepeatable && performance.now() - own.usedAtMs > trustedIdleMs) closeIdle(own.agent);
      const outgoing = request({
        ...place,
        method,
        path: target,
        headers,
        agent: own.agent,
        lookup,
        maxHeaderSize: maximumHeaderBytes,
      });
      outgoing.on("close", () => {
        own.usedAtMs = performance.now();
      });
      limitConnecting(outgoing);
      return outgoing;
    },
  };
}

interface ClientAgent {
  readonly agent: Agent;
  usedAtMs: number;
}

function closeIdle(agent: Agent): void {
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
}

function limitConnecting(outgoing: ClientRequest): void {
  outgoing.once("socket", (socket) => {
    if (!socket.connecting) return;
    const limit = setTimeout(() => {
      outgoing.destroy(new Error("The primary accepts no connection."));
    }, connectLimitMs);
    const stop = () => {
      clearTimeout(limit);
    };
    socket.once("connect", stop);
    socket.once("close", stop);
  });
}
