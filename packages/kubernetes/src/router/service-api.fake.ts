import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { connectApi, type Api } from "../api.ts";

interface StoredService {
  metadata: Record<string, unknown> & { resourceVersion: string; annotations?: Record<string, string> };
  spec: Record<string, unknown> & { selector?: Record<string, string>; clusterIP?: string };
}

/** What goes wrong with the next request of a method; each is used once. */
export type Fault = "serverError" | "loseAnswerAfterApplying" | "hang" | "changedInBetween";

/**
 * A stand-in for the part of the Kubernetes API that Services need: one Service, writes bound to its resourceVersion, addresses given
 * out and kept. The semantics are those of the API conventions (optimistic concurrency by resourceVersion, 404, 409).
 */
export interface FakeServiceApi {
  readonly api: Api;
  service: StoredService | undefined;
  /** Versions that have a ready Pod. */
  readonly ready: Set<string>;
  readonly requests: string[];
  fail(method: string, fault: Fault): void;
  close(): void;
}

export async function startFakeServiceApi(): Promise<FakeServiceApi> {
  const faults = new Map<string, Fault[]>();
  let revision = 1;
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const configuration = new KubeConfig();
  configuration.loadFromClusterAndUser(
    { name: "fake", server: `http://127.0.0.1:${String(port)}`, skipTLSVerify: true },
    { name: "nobody" },
  );
  const fake: FakeServiceApi = {
    api: connectApi(configuration),
    service: undefined,
    ready: new Set(),
    requests: [],
    fail: (method, fault) => faults.set(method, [...(faults.get(method) ?? []), fault]),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return fake;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "";
    const body = await read(request);
    const send = (status: number, content: unknown) => response.writeHead(status).end(JSON.stringify(content));
    const path = request.url ?? "";
    if (path.includes("/pods?")) return void send(200, podList(path));
    fake.requests.push(method);
    const fault = faults.get(method)?.shift();
    if (fault === "serverError") return void send(503, status(503, "busy"));
    if (fault === "hang") return;
    if (fault === "changedInBetween" && fake.service) fake.service.metadata.resourceVersion = String(++revision);
    const [code, content] = apply(method, body);
    if (fault === "loseAnswerAfterApplying") return void response.destroy();
    send(code, content);
  }

  function apply(
    method: string,
    body: StoredService & { preconditions?: { resourceVersion?: string } },
  ): [number, unknown] {
    const { service } = fake;
    if (method === "POST") {
      if (service) return [409, status(409, "already exists")];
      fake.service = withDefaults({ ...body, metadata: { ...body.metadata, resourceVersion: String(++revision) } });
      return [201, fake.service];
    }
    if (!service) return [404, status(404, "not found")];
    if (method === "GET") return [200, service];
    const expected = method === "DELETE" ? body.preconditions?.resourceVersion : body.metadata.resourceVersion;
    if (expected !== service.metadata.resourceVersion) return [409, status(409, "the object has been modified")];
    fake.service =
      method === "DELETE"
        ? undefined
        : withDefaults({ ...body, metadata: { ...body.metadata, resourceVersion: String(++revision) } });
    return [200, fake.service ?? {}];
  }

  function podList(path: string) {
    const version = /version%3D([^%&]+)/.exec(path)?.[1] ?? "";
    const conditions = [{ type: "Ready", status: "True" }];
    const items = fake.ready.has(version)
      ? [{ metadata: { name: `${version}-pod` }, status: { podIP: "10.244.0.9", conditions } }]
      : [];
    return { items, metadata: {} };
  }
}

function withDefaults(service: StoredService): StoredService {
  return { ...service, spec: { clusterIP: "10.96.0.7", sessionAffinity: "None", ...service.spec } };
}

function status(code: number, message: string) {
  return { kind: "Status", status: "Failure", code, message };
}

async function read(request: IncomingMessage): Promise<StoredService> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}") as StoredService;
}
