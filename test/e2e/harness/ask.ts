import { Agent, request } from "node:http";
import type { Entrance } from "./scene.ts";

/** One answer. */
export interface Answer {
  readonly status: number;
  readonly version: string;
  /** The cookies that it sets, without their attributes. */
  readonly cookies: readonly string[];
}

/** Asks once, on a connection of its own unless an agent is given. */
export function ask(
  { host, port, hostHeader }: Entrance,
  headers: Readonly<Record<string, string>> = {},
  agent: Agent | false = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, agent, headers: { host: hostHeader, ...headers }, timeout: 5_000 });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer within 5 s")));
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.resume();
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          version: String(response.headers["x-version"] ?? "unknown"),
          cookies: (response.headers["set-cookie"] ?? []).map((cookie) => cookie.split(";")[0] ?? ""),
        }),
      );
    });
    outgoing.end();
  });
}

const connections = 20;

/** The share of each version in so many answers, in per cent. */
export async function sharesOf(entrance: Entrance, requests: number): Promise<Readonly<Record<string, number>>> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const counts: Record<string, number> = {};
  let left = requests;
  const askOn = async () => {
    while (left-- > 0) {
      const { status, version } = await ask(entrance, {}, agent);
      if (status !== 200) throw new Error(`${entrance.hostHeader} answered ${status}.`);
      counts[version] = (counts[version] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, askOn));
  agent.destroy();
  return Object.fromEntries(Object.entries(counts).map(([version, count]) => [version, (count / requests) * 100]));
}
