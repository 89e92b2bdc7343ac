import { request } from "node:http";

/** What a POST was answered. */
export interface PostAnswer {
  readonly status: number;
  /** The version that answered, where it says so. */
  readonly version: string;
}

const limitMs = 5_000;

/** Posts on a connection of its own, so that it goes wherever the Service leads just now. @throws Error when there is no answer */
export function post(url: string, body: string): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "POST", agent: false, signal: AbortSignal.timeout(limitMs) });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, version: String(response.headers["x-version"] ?? "") });
      });
      response.resume();
    });
    outgoing.end(body);
  });
}
