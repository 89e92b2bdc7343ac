import { createServer, type Server } from "node:http";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { connectApi } from "../api.ts";
import { mirrorReports } from "./mirror-reports.ts";

const signal = AbortSignal.timeout(20_000);
const servers: Server[] = [];
const report = {
  seen: 40,
  mirrored: 30,
  compared: 20,
  differed: 1,
  notCompared: 10,
  shadowFailed: 0,
  primaryFailed: 0,
  samples: [{ primaryMs: 1, shadowMs: 2 }],
  differences: [{ method: "GET", path: "/", what: "status", primary: "200", shadow: "500", count: 1 }],
};

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers each path with JSON, or with a status. */
async function serve(answers: Readonly<Record<string, unknown>>, host = "127.0.0.1", port = 0) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://fake");
    asked.push(`${pathname} ${searchParams.get("labelSelector") ?? ""}`.trim());
    const found = answers[pathname] ?? 404;
    if (typeof found === "number") response.writeHead(found).end("{}");
    else response.end(typeof found === "string" ? found : JSON.stringify(found));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return { asked, port: z.object({ port: z.number() }).parse(server.address()).port };
}

const podAt = (name: string, podIP: string, isReady = true) => ({
  metadata: { name },
  status: { podIP, conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
});

async function reportsOf(
  pods: readonly unknown[],
  reach: "direct" | "kubernetesApi" | "auto",
  port: number,
  more: Readonly<Record<string, unknown>> = {},
) {
  const list = { items: pods, metadata: {} };
  const server = await serve({ "/api/v1/namespaces/shop/pods": list, ...more });
  const configuration = new KubeConfig();
  configuration.loadFromClusterAndUser(
    { name: "fake", server: `http://127.0.0.1:${server.port}`, skipTLSVerify: true },
    { name: "nobody" },
  );
  const api = connectApi(configuration);
  const reports = mirrorReports({ api, release: "web", namespace: "shop", candidate: "web-2", port, reach });
  return { reports, asked: server.asked };
}

const proxied = (pod: string, port: number) => `/api/v1/namespaces/shop/pods/${pod}:${port}/proxy/report`;

describe("the reports of a candidate's mirror", () => {
  it("are asked of every ready Pod that copies to it, straight at its address, and added up", async () => {
    const { port } = await serve({ "/report": report }, "127.0.0.2");
    await serve({ "/report": { ...report, differed: 0, differences: [] } }, "127.0.0.3", port);
    const pods = [podAt("a", "127.0.0.2"), podAt("b", "127.0.0.3"), podAt("c", "127.0.0.4", false)];
    const { reports, asked } = await reportsOf(pods, "direct", port);
    expect(await reports.read(signal)).toMatchObject({ seen: 80, compared: 40, differed: 1, samples: { length: 2 } });
    expect(asked).toEqual(["/api/v1/namespaces/shop/pods bascule.dev/release=web,bascule.dev/mirror-to=web-2"]);
  });

  it("are asked through the Kubernetes API where the Pods cannot be reached from here", async () => {
    const pods = [podAt("a", "127.0.0.2"), podAt("b", "127.0.0.3")];
    const more = { [proxied("a", 8081)]: report, [proxied("b", 8081)]: report };
    const { reports } = await reportsOf(pods, "kubernetesApi", 8081, more);
    expect(await reports.read(signal)).toMatchObject({ compared: 40, differences: [{ what: "status", count: 2 }] });
  });

  it("are nothing where no Pod is ready", async () => {
    const { reports } = await reportsOf([podAt("a", "127.0.0.2", false)], "direct", 8081);
    expect(await reports.read(signal)).toBeUndefined();
  });

  it.each([
    ["does not answer", undefined],
    ["answers with an error", 500],
    ["answers with what is no report", { compared: 1 }],
    ["answers with what is no JSON", "not JSON"],
    ["answers without end", "x".repeat(2 * 1024 * 1024)],
  ])("prove nothing when one of several Pods %s", async (_what, answer) => {
    const { port } = await serve({ "/report": report }, "127.0.0.2");
    if (answer !== undefined) await serve({ "/report": answer }, "127.0.0.3", port);
    const { reports } = await reportsOf([podAt("a", "127.0.0.2"), podAt("b", "127.0.0.3")], "direct", port);
    await expect(reports.read(signal)).rejects.toThrow();
  });
});
