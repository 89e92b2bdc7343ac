import type { ClientRequest } from "node:http";

/** Measures from the moment a request was sent whole, so that a slow client's upload does not count for the server. */
export interface SentAt {
  /** 0 while the request is not sent whole. */
  elapsedMs(): number;
}

export function sentAt(request: ClientRequest): SentAt {
  let startedAt: number | undefined;
  request.once("finish", () => {
    startedAt = performance.now();
  });
  return {
    elapsedMs: () => (startedAt === undefined ? 0 : Math.round((performance.now() - startedAt) * 1000) / 1000),
  };
}
