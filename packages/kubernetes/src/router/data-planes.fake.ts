import { z } from "zod";

/** Objects of the API at one moment. */
export interface View {
  get(path: string): unknown;
  list(collection: string): readonly unknown[];
}

/** A request of a client; the names of headers in lower case. */
export interface ClientRequest {
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whom such requests meet, in per cent; empty: nobody. */
export type Met = Readonly<Record<string, number>>;

/*
 * What each data plane makes of the objects, told by its own documentation or code and not by how the routers read them, so that both
 * can be held against each other.
 */

const strings = z.record(z.string(), z.string()).default({});
const serviceSchema = z.looseObject({ spec: z.looseObject({ selector: strings }) });
const podsSchema = z.array(z.looseObject({ metadata: z.looseObject({ labels: strings }) }));

/** kube-proxy gives each Pod behind a Service the same share. (Only ready Pods are in the view.) */
export function throughService(view: View, path: string, pods: string): Met {
  const service = serviceSchema.safeParse(view.get(path)).data;
  const selector = Object.entries(service?.spec.selector ?? {});
  if (selector.length === 0) return {};
  const picked = podsSchema
    .parse(view.list(pods))
    .filter(({ metadata }) => selector.every(([key, value]) => metadata.labels[key] === value));
  return shares(picked.map(({ metadata }) => [metadata.labels["bascule.dev/version"] ?? "somebody else", 1]));
}

const headerSchema = z.looseObject({ type: z.string().default("Exact"), name: z.string(), value: z.string() });
const httpRouteSchema = z.looseObject({
  spec: z.looseObject({
    rules: z
      .array(
        z.looseObject({
          matches: z.array(z.looseObject({ headers: z.array(headerSchema).default([]) })).default([{ headers: [] }]),
          backendRefs: z.array(z.looseObject({ name: z.string(), weight: z.number().default(1) })).default([]),
        }),
      )
      .default([]),
  }),
});

/** The Gateway API prefers the match with more headers, then the earlier rule. */
export function throughHttpRoute(view: View, path: string, { headers = {} }: ClientRequest): Met {
  const rules = httpRouteSchema.safeParse(view.get(path)).data?.spec.rules ?? [];
  const candidates = rules.flatMap((rule) => rule.matches.map((match) => ({ rule, match })));
  const [best] = candidates
    .filter(({ match }) =>
      match.headers.every(({ type, name, value }) => {
        const sent = headers[name.toLowerCase()];
        return sent !== undefined && (type === "Exact" ? sent === value : isWhole(value, sent));
      }),
    )
    .sort((left, right) => right.match.headers.length - left.match.headers.length);
  return shares((best?.rule.backendRefs ?? []).map(({ name, weight }) => [name, weight]));
}

const stringMatch = z.strictObject({ exact: z.string(), prefix: z.string(), regex: z.string() }).partial();
const virtualServiceSchema = z.looseObject({
  spec: z.looseObject({
    http: z
      .array(
        z.looseObject({
          match: z
            .array(z.looseObject({ headers: z.record(z.string(), stringMatch).default({}) }))
            .default([{ headers: {} }]),
          route: z
            .array(z.looseObject({ destination: z.looseObject({ host: z.string() }), weight: z.number().default(0) }))
            .default([]),
        }),
      )
      .default([]),
  }),
});

/** Istio takes the first route that matches; a single destination gets everything. */
export function throughVirtualService(view: View, path: string, { headers = {} }: ClientRequest): Met {
  const routes = virtualServiceSchema.safeParse(view.get(path)).data?.spec.http ?? [];
  const route = routes.find(({ match }) =>
    match.some((each) =>
      Object.entries(each.headers).every(([name, { exact, prefix, regex }]) => {
        const sent = headers[name];
        if (sent === undefined) return false;
        if (regex !== undefined) return isWhole(regex, sent);
        return prefix === undefined ? sent === exact : sent.startsWith(prefix);
      }),
    ),
  )?.route;
  const [only, ...others] = route ?? [];
  if (only && others.length === 0) return { [only.destination.host]: 100 };
  return shares((route ?? []).map(({ destination, weight }) => [destination.host, weight]));
}

const trafficSplitSchema = z.looseObject({
  spec: z.looseObject({ backends: z.array(z.looseObject({ service: z.string(), weight: z.number() })).default([]) }),
});

export function throughTrafficSplit(view: View, path: string): Met {
  const backends = trafficSplitSchema.safeParse(view.get(path)).data?.spec.backends ?? [];
  return shares(backends.map(({ service, weight }) => [service, weight]));
}

const ingressSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), creationTimestamp: z.string(), annotations: strings }),
  spec: z.looseObject({
    rules: z
      .array(
        z.looseObject({
          host: z.string().default("_"),
          http: z
            .looseObject({
              paths: z.array(
                z.looseObject({
                  path: z.string().default("/"),
                  backend: z.looseObject({ service: z.looseObject({ name: z.string() }) }),
                }),
              ),
            })
            .optional(),
        }),
      )
      .default([]),
  }),
});
type Ingress = z.infer<typeof ingressSchema>;

interface Upstream {
  readonly name: string;
  /** Known by a canary alone, so that no location may lead there. */
  readonly hasNoServer: boolean;
  readonly policy: Readonly<Record<string, string>> | undefined;
  readonly alternatives: Upstream[];
}

/**
 * ingress-nginx: `createUpstreams`, `getBackendServers` and `mergeAlternativeBackends` in `internal/ingress/controller/controller.go`,
 * `route_to_alternative_balancer` in `rootfs/etc/nginx/lua/balancer.lua`, at version 1.15.1.
 */
export function throughIngressNginx(view: View, collection: string, { host, headers = {} }: ClientRequest): Met {
  const ingresses = z
    .array(ingressSchema)
    .parse(view.list(collection))
    .sort((left, right) => ageOf(left).localeCompare(ageOf(right)));
  const places = ingresses.flatMap((ingress) =>
    ingress.spec.rules
      .filter((rule) => rule.host === host)
      .flatMap(({ http }) =>
        (http?.paths ?? []).map(({ path, backend }) => ({ ingress, path, name: backend.service.name })),
      ),
  );
  const upstreams = new Map<string, Upstream>();
  for (const { ingress, name } of places) {
    const policy = isCanary(ingress) ? ingress.metadata.annotations : undefined;
    if (!upstreams.has(name))
      upstreams.set(name, { name, hasNoServer: policy !== undefined, policy, alternatives: [] });
  }
  const locations = new Map<string, Upstream>();
  for (const { path, name } of places) {
    const upstream = upstreams.get(name);
    if (upstream && !upstream.hasNoServer && !locations.has(path)) locations.set(path, upstream);
  }
  for (const { ingress, path, name } of places.filter((place) => isCanary(place.ingress))) {
    const alternative = upstreams.get(name);
    const primary = locations.get(path);
    if (isCanary(ingress) && alternative && primary && primary !== alternative) primary.alternatives.push(alternative);
  }
  const main = locations.get("/");
  if (!main) return {};
  const [alternative] = main.alternatives;
  if (!alternative?.policy) return { [main.name]: 100 };
  const share = shareOf(alternative.policy, headers);
  return shares([
    [main.name, 100 - share],
    [alternative.name, share],
  ]);
}

function shareOf(policy: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>>): number {
  const read = (key: string) => policy[`nginx.ingress.kubernetes.io/canary-${key}`] ?? "";
  const header = headers[read("by-header").toLowerCase()];
  if (header !== undefined) {
    if (read("by-header-value") !== "") {
      if (read("by-header-value") === header) return 100;
    } else if (read("by-header-pattern") !== "") {
      if (new RegExp(read("by-header-pattern")).test(header)) return 100;
    } else if (header === "always") return 100;
    else if (header === "never") return 0;
  }
  const cookies = new Map(
    (headers["cookie"] ?? "").split(/;\s*/).map((part) => [part.split("=")[0], part.split("=")[1]]),
  );
  const cookie = cookies.get(read("by-cookie"));
  if (cookie === "always") return 100;
  if (cookie === "never") return 0;
  const total = Number(read("weight-total") || 100);
  return (Number(read("weight") || 0) / (total > 100 ? total : 100)) * 100;
}

function isCanary({ metadata }: Ingress): boolean {
  return metadata.annotations["nginx.ingress.kubernetes.io/canary"] === "true";
}

function ageOf({ metadata }: Ingress): string {
  return `${metadata.creationTimestamp} ${metadata.name}`;
}

function isWhole(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text);
}

function shares(parts: readonly (readonly [string, number])[]): Met {
  const total = parts.reduce((sum, [, weight]) => sum + weight, 0);
  const met = new Map<string, number>();
  for (const [name, weight] of parts) {
    if (weight > 0) met.set(name, (met.get(name) ?? 0) + (weight / total) * 100);
  }
  return Object.fromEntries([...met].map(([name, share]) => [name, Math.round(share * 1_000) / 1_000]));
}
