import { Agent, request } from "node:http";

/** A place where a service is reached, and the name that clients ask for there. */
export interface Entrance {
  readonly host: string;
  readonly port: number;
  readonly hostname: string;
}

/** What a client sees of one answer. */
interface Answer {
  readonly status: number;
  /** The sample application's name of the version. */
  readonly version: string;
  readonly body: string;
}

/** A client that keeps its connections and its cookies, as a browser does. */
export interface Browser {
  readonly cookies: ReadonlyMap<string, string>;
  get(path?: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Sends so many requests, a few at a time, and counts who answered. */
  count(requests: number, headers?: Readonly<Record<string, string>>): Promise<Readonly<Record<string, number>>>;
  close(): void;
}

const atATime = 16;
const answerLimitMs = 5_000;

export function openBrowser({ host, port, hostname }: Entrance): Browser {
  const agent = new Agent({ keepAlive: true, maxSockets: atATime });
  const cookies = new Map<string, string>();

  const get: Browser["get"] = (path = "/", headers = {}) =>
    new Promise((resolve, reject) => {
      const cookie = [headers["cookie"], ...[...cookies].map(([name, value]) => `${name}=${value}`)]
        .filter((part) => part !== undefined)
        .join("; ");
      const outgoing = request({
        agent,
        host,
        port,
        path,
        headers: { ...headers, host: hostname, ...(cookie === "" ? {} : { cookie }) },
        signal: AbortSignal.timeout(answerLimitMs),
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        for (const text of response.headers["set-cookie"] ?? []) {
          const [pair = ""] = text.split(";");
          cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
        }
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            version: String(response.headers["x-version"] ?? `status ${response.statusCode}`),
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      });
      outgoing.end();
    });

  return {
    cookies,
    get,
    count: async (requests, headers) => {
      const seen: Record<string, number> = {};
      let left = requests;
      const askOn = async () => {
        while (left-- > 0) {
          const { version } = await get("/", headers);
          seen[version] = (seen[version] ?? 0) + 1;
        }
      };
      await Promise.all(Array.from({ length: atATime }, askOn));
      return seen;
    },
    close: () => agent.destroy(),
  };
}
