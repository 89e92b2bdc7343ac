import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";

/** A stand-in for an API server that has some objects, by their paths, and is only read. */
export interface FakeApiServer {
  /** A user's cluster, whose API server this is. */
  readonly cluster: Cluster;
  readonly objects: Map<string, unknown>;
  readonly port: number;
  close(): void;
}

export async function startFakeApiServer(): Promise<FakeApiServer> {
  const objects = new Map<string, unknown>();
  const server = createServer((request, response) => {
    const found = request.method === "GET" ? objects.get(request.url ?? "") : undefined;
    const status = { kind: "Status", apiVersion: "v1", status: "Failure", code: 404, message: "not found" };
    response.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(found ?? status));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), "api-server-"));
  const kubeconfigPath = join(folder, "kubeconfig");
  const name = "theirs";
  const kubeconfig = {
    clusters: [{ name, cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  writeFileSync(kubeconfigPath, JSON.stringify(kubeconfig));
  const refused = () => Promise.reject(new Error("Nobody asks for this here."));
  return {
    cluster: {
      kubeconfigPath,
      context: name,
      owner: "user",
      description: "the context theirs",
      interruptApiServer: refused,
      gateway: refused,
      stop: refused,
    },
    objects,
    port,
    close: () => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
