import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { MirrorSettings } from "../options.ts";
import { createAdmin } from "./admin.ts";
import { forward, type Forwarding } from "./forward.ts";
import { maximumHeaderBytes } from "./header-limit.ts";
import { listen } from "./listen.ts";
import type { Log } from "./log.ts";
import { placeOf } from "./place.ts";
import { primaryConnections } from "./primary-connections.ts";
import { untilReached } from "./reach.ts";
import { rememberedLookup } from "./remembered-lookup.ts";
import { startShadowing } from "./shadowing.ts";
import { createTally } from "./tally.ts";
import { createTunnels, declineUpgrade, offersHttp2 } from "./tunnel.ts";

/** Longer than any server or load balancer keeps an idle connection by default: whoever closes first risks a request under way. */
const idleLimitMs = 2 * 60 * 60 * 1_000;
/** For requests still under way when the mirror has drained; with the default drain it ends within the 30 s that Kubernetes gives a Pod. */
const lastRequestsMs = 20_000;
const closingPollMs = 20;

/** A mirror that runs. */
export interface RunningMirror {
  readonly port: number;
  readonly adminPort: number;
  /**
   * Is no longer ready from now on, but goes on answering for the time to drain, since news of it takes a while to reach every
   * client; then takes no more connections and comes back when the last request is answered.
   */
  stop(): Promise<void>;
}

/**
 * Listens, and forwards every request to the primary.
 *
 * @param program the file of the mirror, which is run in another thread to ask the shadow
 */
export async function startMirror(settings: MirrorSettings, program: URL, log: Log): Promise<RunningMirror> {
  const place = placeOf(settings.primary);
  const lookup = rememberedLookup();
  const tally = createTally();
  const shadowing = startShadowing(settings, program, tally, log);
  const tunnels = createTunnels(place, lookup, tally.primaryFailed);
  const stopping = new AbortController();
  let isReady = false;

  const forwarding: Forwarding = {
    connections: primaryConnections(place, lookup),
    authority: new URL(settings.primary).host,
    isStopping: () => stopping.signal.aborted,
    primaryFailed: tally.primaryFailed,
  };
  const server = createServer({
    maxHeaderSize: maximumHeaderBytes,
    keepAlive: true,
    keepAliveTimeout: idleLimitMs,
    // How long an upload may take is the primary's business.
    requestTimeout: 0,
  });
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    tally.seen();
    forward(request, response, shadowing.pairFor(request), forwarding);
  };
  server.on("request", answer);
  // What a client expects before it sends its body is for the primary to say.
  server.on("checkContinue", answer);
  server.on("checkExpectation", answer);
  server.on("upgrade", (request, client, head) => {
    if (offersHttp2(request) && client instanceof Socket) {
      declineUpgrade(server, request, client, head);
      return;
    }
    tally.seen();
    tunnels.open(request, client, head);
  });
  const admin = createAdmin(() => isReady && !stopping.signal.aborted, tally.report);
  const [port, adminPort] = await Promise.all([listen(server, settings.port), listen(admin, settings.adminPort)]);

  // A mirror that never reached the primary, or cannot compare, must not be given the primary's traffic.
  void Promise.all([untilReached(place, lookup, stopping.signal), shadowing.started]).then(([isReached]) => {
    isReady = isReached;
    if (isReached) log("the primary accepts connections; ready");
  });

  return {
    port,
    adminPort,
    stop: async () => {
      stopping.abort();
      await sleep(settings.drainMs);
      tunnels.end();
      await closeServer(server, lastRequestsMs);
      await shadowing.stop();
      const { samples: _samples, differences: _differences, ...counts } = tally.report();
      log("ended", counts);
      await closeServer(admin, 0);
    },
  };
}

/** Takes no more connections, and comes back when the open ones have ended or the limit is over. */
async function closeServer(server: Server, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  // A connection whose last answer began before the mirror was told to end is idle only after it.
  const poll = setInterval(() => {
    server.closeIdleConnections();
  }, closingPollMs);
  const limit = setTimeout(() => {
    server.closeAllConnections();
  }, limitMs);
  await closed;
  clearInterval(poll);
  clearTimeout(limit);
}
