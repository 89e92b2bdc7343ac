import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import { connectApi, type Api } from "./api.ts";

const record = z.record(z.string(), z.unknown());
const strings = z.record(z.string(), z.string());
const storedSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    creationTimestamp: z.string(),
    labels: strings.optional(),
    annotations: strings.optional(),
  }),
  spec: record.optional(),
  status: record.optional(),
});
/** An object as it is stored. */
export type StoredObject = z.infer<typeof storedSchema>;

/** One request as it arrived. */
export interface FakeRequest {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
}

/**
 * What goes wrong with a request. `serverError`: it is answered with 503 and does nothing. `loseAnswer`: it is applied, and the
 * connection ends without an answer. `hang`: it does nothing, and no answer comes. `changedInBetween`: somebody else writes the
 * object just before.
 */
export type Fault = "serverError" | "loseAnswer" | "hang" | "changedInBetween";

/**
 * A stand-in for the Kubernetes API: any collection, objects that stay, writes bound to the resourceVersion, preconditions on delete,
 * the API's own defaults where a router reads them back, lists by label and page by page. The semantics are those of the API
 * conventions, as the tests against a real API server found them.
 */
export interface FakeKubernetesApi {
  readonly api: Api;
  /** By path, for example `/api/v1/namespaces/shop/services/web`. */
  readonly objects: Map<string, StoredObject>;
  /** Every write that arrived, whatever became of it. */
  readonly writes: FakeRequest[];
  /** Asked about each request before it is applied; as long as it does not answer, the request waits. */
  intercept: ((request: FakeRequest) => Fault | undefined | Promise<Fault | undefined>) | undefined;
  /** Told about each write that changed something. */
  onChange: ((request: FakeRequest) => void) | undefined;
  /** The most items on a page of a list. */
  pageSize: number;
  /** Seconds since 1970, for the objects that are made from here on. */
  nowSeconds: number;
  /** Puts an object there, as if it always had been. */
  seed(path: string, object: Readonly<Record<string, unknown>>): StoredObject;
  close(): void;
}

export async function startFakeKubernetesApi(): Promise<FakeKubernetesApi> {
  let revision = 1;
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = z.object({ port: z.number() }).parse(server.address());
  const configuration = new KubeConfig();
  configuration.loadFromClusterAndUser(
    { name: "fake", server: `http://127.0.0.1:${address.port}`, skipTLSVerify: true },
    { name: "nobody" },
  );
  const objects = new Map<string, StoredObject>();
  const fake: FakeKubernetesApi = {
    api: connectApi(configuration),
    objects,
    writes: [],
    intercept: undefined,
    onChange: undefined,
    pageSize: 500,
    nowSeconds: 1_700_000_000,
    seed: (path, object) => {
      const place = placeOf(path);
      const made = create({
        apiVersion: place.apiVersion,
        ...object,
        metadata: { ...metadataOf(object), name: place.name },
      });
      objects.set(path, made);
      return made;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return fake;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "";
    const url = new URL(request.url ?? "", "http://fake");
    const body = await bodyOf(request);
    const send = (status: number, content: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(content));
    const asked = { method, path: url.pathname };
    if (method !== "GET") fake.writes.push(asked);
    const fault = await fake.intercept?.(asked);
    if (fault === "hang") return;
    if (fault === "serverError") return void send(503, status(503, "the fake is busy"));
    const live = objects.get(asked.path);
    if (fault === "changedInBetween" && live) touch(asked.path, live);
    try {
      const content = apply(method, url, body);
      if (fault === "loseAnswer") return void response.destroy();
      send(method === "POST" ? 201 : 200, content);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      send(thrown.code, status(thrown.code, thrown.message));
    }
  }

  function apply(method: string, url: URL, body: Readonly<Record<string, unknown>>): unknown {
    const path = url.pathname.replace(/\/status$/, "");
    const place = placeOf(path);
    const live = objects.get(path);
    if (method === "GET" && place.name === "") return list(path, url.searchParams);
    if (method === "POST") return post(path, body);
    if (!live) throw new Refusal(404, `${path} not found`);
    if (method === "GET") return live;
    const asked = { method, path };
    if (method === "DELETE") {
      mustBePrecondition(live, record.parse(body["preconditions"] ?? {}));
      objects.delete(path);
      fake.onChange?.(asked);
      return status(200, "deleted");
    }
    const wanted = method === "PATCH" ? merged(live, body) : body;
    if (method === "PUT" && metadataOf(wanted)["resourceVersion"] === undefined) {
      throw new Refusal(422, "metadata.resourceVersion: must be specified for an update");
    }
    mustBePrecondition(live, metadataOf(method === "PATCH" ? body : wanted));
    return replace(
      asked,
      live,
      url.pathname.endsWith("/status") ? { ...live, status: wanted["status"] } : { ...wanted, status: live.status },
    );
  }

  function post(collection: string, body: Readonly<Record<string, unknown>>): StoredObject {
    const name = metadataOf(body)["name"];
    if (typeof name !== "string") throw new Refusal(422, "metadata.name: required value");
    if (metadataOf(body)["resourceVersion"] !== undefined) {
      throw new Refusal(400, "resourceVersion should not be set on objects to be created");
    }
    const path = `${collection}/${name}`;
    if (body["apiVersion"] !== placeOf(path).apiVersion) throw new Refusal(400, "the API version does not match");
    if (objects.has(path)) throw new Refusal(409, `${name} already exists`);
    const made = create(body);
    objects.set(path, made);
    fake.onChange?.({ method: "POST", path });
    return made;
  }

  function create(body: Readonly<Record<string, unknown>>): StoredObject {
    return storedSchema.parse(
      withDefaults({
        kind: "Unknown",
        ...body,
        metadata: {
          ...metadataOf(body),
          uid: randomUUID(),
          resourceVersion: String(++revision),
          creationTimestamp: new Date(fake.nowSeconds * 1_000).toISOString().replace(".000", ""),
        },
      }),
    );
  }

  /** An update that changes nothing is no update. */
  function replace(asked: FakeRequest, live: StoredObject, wanted: Readonly<Record<string, unknown>>): StoredObject {
    const { uid, creationTimestamp, resourceVersion } = live.metadata;
    const metadata = { ...metadataOf(wanted), uid, creationTimestamp, resourceVersion };
    const next = storedSchema.parse(withDefaults({ ...wanted, metadata }, live));
    if (isDeepStrictEqual(plain(next), plain(live))) return live;
    const changed = { ...next, metadata: { ...next.metadata, resourceVersion: String(++revision) } };
    objects.set(asked.path, changed);
    fake.onChange?.(asked);
    return changed;
  }

  function touch(path: string, live: StoredObject): void {
    objects.set(path, { ...live, metadata: { ...live.metadata, resourceVersion: String(++revision) } });
  }

  function list(collection: string, query: URLSearchParams): unknown {
    const selector = (query.get("labelSelector") ?? "").split(",").filter((part) => part !== "");
    const found = [...objects]
      .filter(([path]) => path.slice(0, path.lastIndexOf("/")) === collection)
      .map(([, object]) => object)
      .filter(({ metadata: { labels = {} } }) =>
        selector.every((part) => {
          const [key = "", value] = part.split("=");
          return value === undefined ? key in labels : labels[key] === value;
        }),
      );
    const start = Number(query.get("continue") ?? 0);
    const end = start + Math.min(fake.pageSize, Number(query.get("limit") ?? fake.pageSize));
    return { items: found.slice(start, end), metadata: end < found.length ? { continue: String(end) } : {} };
  }
}

/** What the API server says no to. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A path's group and version, and its last part where that is an object's name. */
function placeOf(path: string): { readonly apiVersion: string; readonly name: string } {
  const match = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))(?:\/namespaces\/[^/]+)?\/[^/]+(?:\/([^/]+))?$/.exec(path);
  if (!match) throw new Refusal(404, `${path} is no path of the API`);
  return { apiVersion: match[1] ?? match[2] ?? "", name: decodeURIComponent(match[3] ?? "") };
}

function metadataOf(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return record.parse(object["metadata"] ?? {});
}

function mustBePrecondition(live: StoredObject, expected: Readonly<Record<string, unknown>>): void {
  for (const key of ["resourceVersion", "uid"] as const) {
    const value = expected[key];
    if (value !== undefined && value !== live.metadata[key]) {
      throw new Refusal(
        409,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    }
  }
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): Record<string, unknown> {
  const result = new Map(Object.entries(record.safeParse(target).data ?? {}));
  for (const [key, value] of Object.entries(record.parse(patch))) {
    if (value === null) result.delete(key);
    else result.set(key, isMap(value) ? merged(result.get(key), value) : value);
  }
  return Object.fromEntries(result);
}

function isMap(value: unknown): boolean {
  return typeof value === "object" && !Array.isArray(value);
}

/** What the API server adds to an object, and drops of it, where that matters to who reads it back. */
function withDefaults(object: Readonly<Record<string, unknown>>, former?: StoredObject): Record<string, unknown> {
  const { labels, annotations, ...metadata } = metadataOf(object);
  const all = {
    ...object,
    metadata: { ...metadata, ...filled("labels", labels), ...filled("annotations", annotations) },
  };
  const spec = record.parse(object["spec"] ?? {});
  switch (object["kind"]) {
    case "Service":
      return { ...all, spec: serviceSpec(spec, former?.spec) };
    case "Ingress": {
      const { tls, ...rest } = spec;
      return { ...all, spec: { ...rest, ...filled("tls", tls) } };
    }
    case "HTTPRoute":
      return { ...all, spec: httpRouteSpec(spec) };
    default:
      return all;
  }
}

/** Built-in objects are stored without what is empty. */
function filled(key: string, value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0 ? { [key]: value } : {};
}

const items = z.array(record).default([]);

const firstClusterIP = "10.96.0.7";

function serviceSpec(
  { selector, ...spec }: Readonly<Record<string, unknown>>,
  former: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> {
  const clusterIP = spec["clusterIP"] ?? former?.["clusterIP"] ?? firstClusterIP;
  if (former && former["clusterIP"] !== clusterIP) throw new Refusal(422, "spec.clusterIP: field is immutable");
  const isNodePort = spec["type"] === "NodePort" || spec["type"] === "LoadBalancer";
  return {
    type: "ClusterIP",
    sessionAffinity: "None",
    internalTrafficPolicy: "Cluster",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    clusterIPs: [clusterIP],
    ...spec,
    clusterIP,
    ports: items.parse(spec["ports"]).map((port, index) => ({
      protocol: "TCP",
      targetPort: port["port"],
      ...(isNodePort ? { nodePort: 30_000 + index } : {}),
      ...port,
    })),
    ...filled("selector", selector),
  };
}

function httpRouteSpec(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const path = { type: "PathPrefix", value: "/" };
  const reference = { group: "", kind: "Service" };
  const filter = (each: Readonly<Record<string, unknown>>) => {
    const mirror = record.safeParse(each["requestMirror"]).data;
    if (!mirror) return each;
    return {
      ...each,
      requestMirror: { ...mirror, backendRef: { ...reference, ...record.parse(mirror["backendRef"]) } },
    };
  };
  const filters = (each: Readonly<Record<string, unknown>>) =>
    each["filters"] === undefined ? {} : { filters: items.parse(each["filters"]).map(filter) };
  const match = (each: Readonly<Record<string, unknown>>) => ({
    path,
    ...each,
    ...(each["headers"] === undefined
      ? {}
      : { headers: items.parse(each["headers"]).map((header) => ({ type: "Exact", ...header })) }),
  });
  const rule = (each: Readonly<Record<string, unknown>>) => ({
    ...each,
    matches: (each["matches"] === undefined ? [{}] : items.parse(each["matches"])).map(match),
    ...filters(each),
    ...(each["backendRefs"] === undefined
      ? {}
      : {
          backendRefs: items
            .parse(each["backendRefs"])
            .map((backend) => ({ ...reference, weight: 1, ...backend, ...filters(backend) })),
        }),
  });
  const gateway = { group: "gateway.networking.k8s.io", kind: "Gateway" };
  return {
    ...spec,
    parentRefs: items.parse(spec["parentRefs"]).map((parent) => ({ ...gateway, ...parent })),
    rules: (spec["rules"] === undefined ? [{}] : items.parse(spec["rules"])).map(rule),
  };
}

function status(code: number, message: string) {
  return { kind: "Status", status: code < 300 ? "Success" : "Failure", code, message };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks = await request.map((chunk: Buffer) => chunk).toArray();
  const text = Buffer.concat(z.array(z.instanceof(Buffer)).parse(chunks)).toString("utf8");
  return text === "" ? {} : record.parse(JSON.parse(text));
}
