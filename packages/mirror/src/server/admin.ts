import { createServer, type Server } from "node:http";
import type { MirrorReport } from "../report/report.ts";

/** Answers `GET /readyz` and `GET /report`, on a port that no user reaches. */
export function createAdmin(isReady: () => boolean, report: () => MirrorReport): Server {
  return createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    };
    if (request.method !== "GET") {
      answer(405, "text/plain", "Only GET is answered here.\n");
      return;
    }
    switch (request.url) {
      case "/readyz":
        if (isReady()) answer(200, "text/plain", "ready\n");
        else answer(503, "text/plain", "not ready\n");
        return;
      case "/report":
        answer(200, "application/json", JSON.stringify(report()));
        return;
      default:
        answer(404, "text/plain", "Ask for /readyz or /report.\n");
    }
  });
}
