import { createServer, type IncomingMessage, type RequestListener, Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { createServer as createSocketServer, type AddressInfo, type Server as SocketServer } from "node:net";
import { http, type HttpProbe } from "@bascule/core";
import { systemClock } from "@bascule/engine";
import { generate } from "selfsigned";
import { afterEach, describe, expect, it } from "vitest";
import { measureHttp, type HttpPlace } from "./measure-http.ts";

const canary = "canary-7f3e9a51c2";
const open: SocketServer[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) {
    if (server instanceof Server || server instanceof TlsServer) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listening<Kind extends SocketServer>(server: Kind, port = 0): Promise<Kind> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  open.push(server);
  return server;
}

function portOf(server: SocketServer): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return (address satisfies AddressInfo).port;
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${portOf(await listening(createServer(listener)))}`;
}

function answering(status: number, body = "", headers: Record<string, string> = {}): RequestListener {
  return (_request: IncomingMessage, response: ServerResponse) => response.writeHead(status, headers).end(body);
}

function measure(probe: HttpProbe, place: HttpPlace, signal = new AbortController().signal) {
  return measureHttp(probe, place, systemClock, signal);
}

async function unusedPort(): Promise<number> {
  const server = await listening(createSocketServer());
  const port = portOf(server);
  open.splice(open.indexOf(server), 1);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the connection", () => {
  it("is a new one for each measurement, and closed after it", async () => {
    let connections = 0;
    let closed = 0;
    const server = createServer(answering(200));
    server.on("connection", (socket) => {
      connections++;
      socket.on("close", () => closed++);
    });
    const url = `http://127.0.0.1:${portOf(await listening(server))}`;

    for (let index = 0; index < 5; index++) expect((await measure(http("/"), { url })).verdict).toBe("pass");

    expect(connections).toBe(5);
    await expect.poll(() => closed).toBe(5);
  });

  it("asks whoever has the address now, not the server that once answered on a connection it keeps alive", async () => {
    const before = createServer(answering(500, "", { "x-bascule-version": "web-old", connection: "keep-alive" }));
    before.keepAliveTimeout = 60_000;
    // The old server stops listening and leaves its connections open, as a Pod does that has lost its Service.
    await listening(before);
    const port = portOf(before);
    const url = `http://127.0.0.1:${port}`;
    expect(await measure(http("/"), { url })).toMatchObject({ verdict: "fail", answeredBy: "web-old" });
    before.close();
    await listening(createServer(answering(200, "", { "x-bascule-version": "web-new" })), port);

    expect(await measure(http("/"), { url })).toMatchObject({ verdict: "pass", answeredBy: "web-new" });
  });
});

describe("an answer passes or fails by its", () => {
  const json = JSON.stringify({ status: "up", checks: [{ ok: true }, { ok: false }], depth: { b: 1, a: 2 } });
  const cases: {
    name: string;
    expect: HttpProbe["expect"];
    right: RequestListener;
    wrong: RequestListener;
    message: string;
  }[] = [
    {
      name: "status, 200 to 299 by default",
      expect: {},
      right: answering(204),
      wrong: answering(503, "down"),
      message: "expected a status of 200 to 299, measured 503; body “down”",
    },
    {
      name: "status, when one is named",
      expect: { status: 418 },
      right: answering(418),
      wrong: answering(200),
      message: "expected status 418, measured 200",
    },
    {
      name: "body",
      expect: { bodyContains: "ready" },
      right: answering(200, "all ready"),
      wrong: answering(200, "starting"),
      message: "expected a body that contains “ready”, measured “starting”",
    },
    {
      name: "JSON value",
      expect: { json: [{ path: "$.status", equals: "up" }] },
      right: answering(200, json),
      wrong: answering(200, '{"status":"down"}'),
      message: 'expected $.status = "up", measured “"down"”',
    },
    {
      name: "JSON value, whatever the order of keys",
      expect: { json: [{ path: "$.depth", equals: { a: 2, b: 1 } }] },
      right: answering(200, json),
      wrong: answering(200, '{"depth":{"a":2}}'),
      message: 'expected $.depth = {"a":2,"b":1}, measured “{"a":2}”',
    },
    {
      name: "JSON values, all that a path selects",
      expect: { json: [{ path: "$.checks[*].ok", equals: true }] },
      right: answering(200, '{"checks":[{"ok":true},{"ok":true}]}'),
      wrong: answering(200, json),
      message: "expected $.checks[*].ok = true, measured “false”",
    },
    {
      name: "JSON value, which must be there",
      expect: { json: [{ path: "$.status", equals: null }] },
      right: answering(200, '{"status":null}'),
      wrong: answering(200, "{}"),
      message: "expected $.status = null, measured no such value in “{}”",
    },
    {
      name: "JSON, which must be JSON",
      expect: { json: [{ path: "$", equals: 1 }] },
      right: answering(200, "1"),
      wrong: answering(200, "<html>"),
      message: "expected a JSON body, measured “<html>”",
    },
    {
      name: "header",
      expect: { headers: { "X-Mode": "live" } },
      right: answering(200, "", { "x-mode": "live" }),
      wrong: answering(200, "", { "x-mode": "dry" }),
      message: "expected header X-Mode “live”, measured “dry”",
    },
    {
      name: "header, which must be there",
      expect: { headers: { "x-mode": "live" } },
      right: answering(200, "", { "x-mode": "live" }),
      wrong: answering(200),
      message: "expected header x-mode “live”, measured none",
    },
    {
      name: "latency",
      expect: { latencyMs: 150 },
      right: answering(200),
      wrong: (_request, response) => void setTimeout(() => response.end(), 250),
      message: "expected an answer within 150 ms, measured ",
    },
    {
      name: "latency, up to the last byte of the body",
      expect: { latencyMs: 150 },
      right: answering(200, "x"),
      wrong: (_request, response) => {
        response.writeHead(200).write("first");
        setTimeout(() => response.end("last"), 250);
      },
      message: "expected an answer within 150 ms, measured ",
    },
    {
      name: "size",
      expect: {},
      right: answering(200, "x".repeat(1024 * 1024)),
      wrong: answering(200, "x".repeat(1024 * 1024 + 1)),
      message: "expected a body of at most 1048576 bytes, measured a longer one",
    },
  ];
  it.each(cases)("$name", async ({ expect: expectation, right, wrong, message }) => {
    const probe = http("/", { expect: expectation });
    const good = await measure(probe, { url: await serve(right) });
    expect(good).toMatchObject({ verdict: "pass" });
    const bad = await measure(probe, { url: await serve(wrong) });
    expect(bad.verdict).toBe("fail");
    expect(bad.message).toContain(message);
  });

  it("and says all that is wrong with it at once", async () => {
    const probe = http("/", { expect: { status: 200, bodyContains: "ok", headers: { etag: "1" } } });
    const { message } = await measure(probe, { url: await serve(answering(500, "failure")) });
    expect(message).toBe(
      "expected status 200, measured 500; expected header etag “1”, measured none; expected a body that contains “ok”, measured “failure”",
    );
  });
});

describe("conditions judge an answer that is as expected", () => {
  const body = '{"errors":3,"total":200,"token":"canary-7f3e9a51c2"}';
  const stats = answering(200, body, { "content-type": "application/json", "x-mode": "live" });

  it.each<[string, Partial<HttpProbe>, string]>([
    ["its body, where it is JSON", { successCondition: "result.body.errors * 100 / result.body.total < 2.0" }, "pass"],
    ["its body", { successCondition: "result.body.errors == 0" }, "fail"],
    [
      "its status, latency and headers",
      { successCondition: "result.status == 200 && result.latencyMs < 60000 && result.headers['x-mode'] == 'live'" },
      "pass",
    ],
    ["what must not be", { failureCondition: "result.body.errors > 2" }, "fail"],
    [
      "neither",
      { successCondition: "result.body.errors == 0", failureCondition: "result.body.errors > 5" },
      "inconclusive",
    ],
    ["what is not there", { successCondition: "result.body.rate < 2" }, "error"],
  ])("by %s", async (_name, conditions, verdict) => {
    const measurement = await measure(http("/", conditions), { url: await serve(stats) });
    expect(measurement).toMatchObject({ verdict });
    expect(measurement.message).not.toContain(canary);
  });

  it("by its text where that is not JSON", async () => {
    const url = await serve(answering(200, "all is well"));
    expect((await measure(http("/", { successCondition: "result.body.contains('well')" }), { url })).verdict).toBe(
      "pass",
    );
  });

  it("and no other: what the probe expects is asked first", async () => {
    const url = await serve(answering(500, "{}"));
    const { verdict, message } = await measure(http("/", { successCondition: "result.status == 500" }), { url });
    expect(verdict).toBe("fail");
    expect(message).toContain("expected a status of 200 to 299, measured 500");
  });
});

describe("a redirect", () => {
  it("is an answer and is not followed", async () => {
    let asked = 0;
    const target = await serve((_request, response) => {
      asked++;
      response.end();
    });
    const url = await serve(answering(302, "", { location: target }));
    expect(await measure(http("/"), { url })).toMatchObject({
      verdict: "fail",
      message: "expected a status of 200 to 299, measured 302",
    });
    expect(await measure(http("/", { expect: { status: 302 } }), { url })).toMatchObject({ verdict: "pass" });
    expect(asked).toBe(0);
  });
});

describe("the request", () => {
  it("carries the probe's method, path, query, headers and body", async () => {
    let seen: unknown;
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen = {
          method: request.method,
          url: request.url,
          mode: request.headers["x-mode"],
          host: request.headers.host,
          body,
        };
        response.end();
      });
    });
    const probe = http("/login?now=1", {
      method: "POST",
      headers: { "X-Mode": "dry", host: "web.example.org" },
      body: "é=1",
    });
    expect(await measure(probe, { url })).toMatchObject({ verdict: "pass", address: `${url}/login?now=1` });
    expect(seen).toEqual({ method: "POST", url: "/login?now=1", mode: "dry", host: "web.example.org", body: "é=1" });
  });

  it("adds the path to that of the place", async () => {
    let seen: string | undefined;
    const url = await serve((request, response) => {
      seen = request.url;
      response.end();
    });
    await measure(http("/health"), { url: `${url}/api/proxy/` });
    expect(seen).toBe("/api/proxy/health");
  });

  it.each(["/../secrets", "/%2e%2e/secrets", "/a/..%2f../secrets"])(
    "never leaves the path of the place by %s",
    async (path) => {
      let asked = 0;
      const url = await serve((_request, response) => {
        asked++;
        response.end();
      });
      const measurement = await measure(http(path), { url: `${url}/api/proxy` });
      expect(measurement).toMatchObject({ verdict: "error" });
      expect(measurement.message).toContain("leaves the address");
      expect(asked).toBe(0);
    },
  );
});

describe("the version that answered", () => {
  it("is read from x-bascule-version, also when the answer is wrong", async () => {
    const url = await serve(answering(500, "", { "X-Bascule-Version": "web-1a2b3c4d" }));
    expect(await measure(http("/"), { url })).toMatchObject({ verdict: "fail", answeredBy: "web-1a2b3c4d" });
  });

  it("is read from the header that the probe names", async () => {
    const url = await serve(answering(200, "", { "x-bascule-version": "web-1", "x-release": "web-2" }));
    expect(await measure(http("/", { versionHeader: "x-release" }), { url })).toMatchObject({ answeredBy: "web-2" });
  });

  it("is left open when the answer does not tell", async () => {
    expect(await measure(http("/"), { url: await serve(answering(200)) })).not.toHaveProperty("answeredBy");
  });
});

describe("no answer is a failure of the target", () => {
  it("when the connection is refused", async () => {
    const measurement = await measure(http("/"), { url: `http://127.0.0.1:${await unusedPort()}` });
    expect(measurement).toMatchObject({
      verdict: "fail",
      message: "expected an answer, measured none: the connection was refused (ECONNREFUSED)",
    });
  });

  it("when the connection is reset", async () => {
    const server = await listening(createSocketServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
    expect(await measure(http("/"), { url: `http://127.0.0.1:${portOf(server)}` })).toMatchObject({ verdict: "fail" });
  });

  it("when the body is cut off", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
    });
    const measurement = await measure(http("/"), { url });
    expect(measurement).toMatchObject({ verdict: "fail" });
    expect(measurement.message).toContain("closed before the answer was complete");
  });

  it("when what comes back is not HTTP", async () => {
    const server = await listening(
      createSocketServer((socket) =>
        socket
          .on("error", () => undefined)
          .resume()
          .end("SSH-2.0-x\r\n"),
      ),
    );
    expect(await measure(http("/"), { url: `http://127.0.0.1:${portOf(server)}` })).toMatchObject({ verdict: "fail" });
  });

  it("when the host does not exist", async () => {
    expect((await measure(http("/"), { url: "http://no-such-host.invalid" })).verdict).not.toBe("pass");
  });

  it.each<[string, RequestListener]>([
    ["the answer does not begin", () => undefined],
    ["the body does not end", (_request, response) => void response.writeHead(200).write("first")],
    [
      "the body comes drop by drop",
      (_request, response) => {
        const timer = setInterval(() => response.write("x"), 10);
        response.on("close", () => clearInterval(timer));
      },
    ],
  ])("when %s within the time limit, and the connection is then closed", async (_name, listener) => {
    const server: Server = createServer(listener);
    let closed = false;
    server.on("connection", (socket) => socket.on("close", () => (closed = true)));
    await listening(server);
    const measurement = await measure(http("/", { timeoutMs: 150 }), { url: `http://127.0.0.1:${portOf(server)}` });
    expect(measurement).toMatchObject({
      verdict: "fail",
      message: "expected an answer, measured none: nothing complete within 150 ms",
    });
    expect(measurement.durationMs).toBeGreaterThanOrEqual(140);
    expect(measurement.durationMs).toBeLessThan(1_000);
    await expect.poll(() => closed).toBe(true);
  });
});

describe("what could not be measured for a reason of ours is an error", () => {
  it.each<[string, HttpProbe, HttpPlace, string]>([
    ["an address that is none", http("/"), { url: "10.96.0.7" }, "is not a URL"],
    ["an address of another kind", http("/"), { url: "ftp://10.96.0.7" }, "must begin with http:// or https://"],
    [
      "a JSON path that is none",
      http("/", { expect: { json: [{ path: "$..[", equals: 1 }] } }),
      { url: "http://127.0.0.1:1" },
      "is not a JSON path of RFC 9535",
    ],
    [
      "a header that cannot be sent",
      http("/", { headers: { "x-mode": `${canary}\n` } }),
      { url: "http://127.0.0.1:1" },
      "Invalid character in header content",
    ],
    [
      "a certificate authority that cannot be read",
      http("/"),
      { url: "https://127.0.0.1:1", tls: { ca: "rubbish" } },
      "TLS material",
    ],
    ["a key that cannot be read", http("/"), { url: "https://127.0.0.1:1", tls: { key: "rubbish" } }, "TLS material"],
    [
      "a header that both the probe and the way to the target need",
      http("/", { headers: { Authorization: canary } }),
      { url: "http://127.0.0.1:1", headers: { authorization: "Bearer x" } },
      "leave it out",
    ],
  ])("%s", async (_name, probe, place, message) => {
    const measurement = await measure(probe, place);
    expect(measurement.verdict).toBe("error");
    expect(measurement.message).toContain(message);
    expect(JSON.stringify(measurement)).not.toContain(canary);
  });

  it("a measurement that was stopped proves nothing", async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort());
    expect(await measure(http("/"), { url }, stop.signal)).toMatchObject({ verdict: "inconclusive" });
    expect(await measure(http("/"), { url }, stop.signal)).toMatchObject({ verdict: "inconclusive" });
  });
});

describe("over TLS", () => {
  async function serveTls(commonName: string): Promise<{ url: string; ca: string }> {
    const pems = await generate([{ name: "commonName", value: commonName }], {
      keyType: "ec",
      extensions: [
        { name: "basicConstraints", cA: true },
        { name: "subjectAltName", altNames: [{ type: 2, value: commonName }] },
      ],
    });
    const server = await listening(createTlsServer({ key: pems.private, cert: pems.cert }, answering(200)));
    return { url: `https://127.0.0.1:${portOf(server)}`, ca: pems.cert };
  }

  it("a certificate of the named authority for the named server passes", async () => {
    const { url, ca } = await serveTls("web.example.org");
    expect(await measure(http("/"), { url, tls: { ca, serverName: "web.example.org" } })).toMatchObject({
      verdict: "pass",
    });
  });

  it("a certificate that nobody vouches for, or of another name, fails", async () => {
    const { url, ca } = await serveTls("web.example.org");
    expect(await measure(http("/"), { url, tls: { serverName: "web.example.org" } })).toMatchObject({
      verdict: "fail",
    });
    expect(await measure(http("/"), { url, tls: { ca, serverName: "other.example.org" } })).toMatchObject({
      verdict: "fail",
    });
  });
});

describe("through the Kubernetes API", () => {
  const status = (code: number, message: string) =>
    JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code });

  it("the target's own answer is judged, whatever its status", async () => {
    const url = await serve(answering(503, "down", { "x-bascule-version": "web-1" }));
    expect(await measure(http("/"), { url, via: "kubernetesApi" })).toMatchObject({
      verdict: "fail",
      answeredBy: "web-1",
    });
    expect(await measure(http("/", { expect: { status: 503 } }), { url, via: "kubernetesApi" })).toMatchObject({
      verdict: "pass",
    });
  });

  it.each([401, 403, 429])(
    "a refusal of the API itself with %i is an error, even when that status is expected",
    async (code) => {
      const url = await serve(answering(code, status(code, "not you")));
      const measurement = await measure(http("/", { expect: { status: code } }), { url, via: "kubernetesApi" });
      expect(measurement.verdict).toBe("error");
      expect(measurement.message).toContain(`refused with ${code}: “not you”`);
    },
  );

  it.each([
    [status(503, "no endpoints available for service"), "no endpoints available"],
    ["error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused", "connection refused"],
  ])("a target that the API cannot reach has failed, even when 503 is expected", async (body, message) => {
    const url = await serve(answering(503, body));
    const measurement = await measure(http("/", { expect: { status: 503 } }), { url, via: "kubernetesApi" });
    expect(measurement.verdict).toBe("fail");
    expect(measurement.message).toContain(message);
  });

  it("an API server that cannot be reached is an error", async () => {
    const measurement = await measure(http("/"), {
      url: `http://127.0.0.1:${await unusedPort()}`,
      via: "kubernetesApi",
    });
    expect(measurement.verdict).toBe("error");
    expect(measurement.message).toContain("the Kubernetes API does not answer");
  });

  it("an API server that accepts and then waits in vain for the target makes a failure", async () => {
    const url = await serve(() => undefined);
    expect(await measure(http("/", { timeoutMs: 100 }), { url, via: "kubernetesApi" })).toMatchObject({
      verdict: "fail",
    });
  });
});

describe("the value of a header that was sent is in no measurement", () => {
  const password = "pa ss/w0rd+é";
  const basic = Buffer.from(`ada:${password}`).toString("base64");
  const headers = { authorization: `Bearer ${canary}`, "x-basic": `Basic ${basic}`, "x-quote": `${canary}"quoted"` };
  const echoes: [string, (received: IncomingMessage, response: ServerResponse) => void][] = [
    ["body", (request, response) => response.writeHead(500).end(JSON.stringify(request.headers))],
    [
      "upper-case body",
      (request, response) => response.writeHead(500).end(JSON.stringify(request.headers).toUpperCase()),
    ],
    [
      "bare token",
      (_request, response) => response.writeHead(500).end(`token ${canary} and ${encodeURIComponent(password)} is bad`),
    ],
    ["base 64", (_request, response) => response.writeHead(500).end(Buffer.from(canary).toString("base64"))],
    ["decoded credentials", (_request, response) => response.writeHead(500).end(`user ada:${password} ${password}`)],
    ["version header", (_request, response) => response.writeHead(200, { "x-bascule-version": canary }).end()],
    ["expected header", (_request, response) => response.writeHead(200, { etag: canary }).end("{}")],
    ["JSON value", (_request, response) => response.end(JSON.stringify({ status: canary }))],
    ["end of the excerpt", (_request, response) => response.writeHead(500).end(`${"x".repeat(190)}${canary}`)],
  ];
  it.each(echoes)("when the target echoes it in its %s", async (_name, listener) => {
    const url = await serve(listener);
    const probe = http("/", {
      headers,
      expect: { headers: { etag: "1" }, json: [{ path: "$.status", equals: "up" }] },
    });
    const text = JSON.stringify(await measure(probe, { url, headers: { "x-token": canary } })).toLowerCase();
    for (const secret of [
      canary,
      canary.slice(0, 9),
      basic,
      password,
      encodeURIComponent(password),
      Buffer.from(canary).toString("base64"),
    ]) {
      expect(text).not.toContain(secret.toLowerCase());
    }
  });

  it("nor is more of a body than 200 characters", async () => {
    const url = await serve(answering(500, "é".repeat(5_000)));
    const { message } = await measure(http("/"), { url });
    expect(/“(.*)”/.exec(message)?.[1]).toHaveLength(200);
  });
});
