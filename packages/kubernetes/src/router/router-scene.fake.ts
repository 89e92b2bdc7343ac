import { setTimeout as sleep } from "node:timers/promises";
import type { Marker, Origin, Traffic, VersionId } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import { kubernetesWorkload } from "../workload.ts";
import type { Met, View } from "./data-planes.fake.ts";
import type { ObjectRouter } from "./object-router.ts";
import { openRouter } from "./open-router.ts";
import { routerAbilities } from "./router-abilities.ts";
import type { RouterShape } from "./router-shape.ts";
import { hostOf, type Place, type RouterSubject } from "./router-subjects.fake.ts";

/** An API server, real or not, with what a router needs around it. */
export interface RouterWorld {
  readonly api: Api;
  /** A release of its own for each test. */
  newPlace(): Place;
  /** A version that is ready: its Pods, and the Service that leads to them. */
  addVersion(place: Place, version: VersionId): Promise<void>;
  /** Takes away all that there is of a version. */
  removeVersion(place: Place, version: VersionId): Promise<void>;
  /** All objects of these collections, as they are now. */
  look(place: Place): Promise<View>;
  close(): Promise<void>;
}

/** A release with two versions that are ready, and a router that was opened for it. */
export interface RouterScene {
  readonly place: Place;
  readonly old: VersionId;
  readonly next: VersionId;
  readonly router: ObjectRouter;
  open(shape: RouterShape): ObjectRouter;
  /** What somebody with kubectl sees of the router's objects; `undefined` for one that is not there. */
  stored(): Promise<readonly (StoredView | undefined)[]>;
  /** What the router wrote last of each of its objects. */
  written(): readonly unknown[];
  /** Whom the clients meet whose requests have these headers. */
  meet(headers?: Readonly<Record<string, string>>): Promise<Met>;
  patch(patch: object): Promise<void>;
  deleteByHand(): Promise<void>;
  /** Brings a version into service by a transaction of its own, from the first look to the last write. */
  serve(version: VersionId): Promise<void>;
  /** Looks at the router and claims it, as a transaction begins. */
  begin(transaction: string, change?: Partial<Marker>): Promise<Marker>;
}

const storedViewSchema = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.record(z.string(), z.unknown()).default({}),
});
export type StoredView = z.infer<typeof storedViewSchema>;

const limitMs = 30_000;
/** Long enough for any number of tries. */
export const soon = (): AbortSignal => AbortSignal.timeout(limitMs);

/** The marker of a transaction that has just begun. */
export function markerOf(scene: Pick<RouterScene, "next">, transaction: string, origin: Origin | null): Marker {
  return {
    transaction,
    candidate: scene.next,
    origin,
    step: 0,
    fencing: 1,
    owner: { host: "here", processId: 42, processStart: "boot/1" },
    leaseUntilMs: 1_000,
  };
}

/** What the next run writes when it takes over from one that is gone. */
export function successorOf(gone: Marker, transaction: string): Marker {
  return { ...gone, transaction, fencing: gone.fencing + 1 };
}

export async function openScene(subject: RouterSubject, world: RouterWorld): Promise<RouterScene> {
  const sent = new Map<string, unknown>();
  const api = recording(world.api, sent);
  const place = world.newPlace();
  const old = `${place.release}-old`;
  const next = `${place.release}-new`;
  const open = (shape: RouterShape) =>
    openRouter(api, place.release, shape, kubernetesWorkload(api, place.release, place.namespace, undefined)).router;
  const router = open(subject.shape(place));
  const paths = subject.paths(place);
  const [main = ""] = paths;
  await world.addVersion(place, old);
  await world.addVersion(place, next);

  const read = async (path: string): Promise<StoredView | undefined> => {
    try {
      return await api.send({ method: "GET", path }, storedViewSchema, soon());
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      throw thrown;
    }
  };

  const begin: RouterScene["begin"] = async (transaction, change = {}) => {
    const { exists, weights, shape, memory } = await router.observe(soon());
    const marker = { ...markerOf({ next }, transaction, exists ? { weights, shape } : null), ...change };
    const rest = memory?.rest ? { rest: memory.rest } : {};
    await router.claim(marker, { marker: null, weights: exists ? weights : null, ...rest }, soon());
    return marker;
  };

  return {
    place,
    old,
    next,
    router,
    open,
    stored: () => Promise.all(paths.map(read)),
    written: () => paths.map((path) => sent.get(path)),
    meet: async (headers = {}) => subject.meet(await world.look(place), place, { host: hostOf(place), headers }),
    patch: async (body) => {
      const contentType = "application/merge-patch+json";
      await api.send({ method: "PATCH", path: main, body, contentType }, z.unknown(), soon());
    },
    deleteByHand: async () => {
      await api.send({ method: "DELETE", path: main }, z.unknown(), soon());
      while (await read(main)) await sleep(20);
    },
    serve: async (version) => {
      const marker = await begin(`serves ${version}`, { candidate: version });
      await router.shift({ weights: { [version]: 100 } }, marker, soon());
      await router.release(marker, { history: [version] }, soon());
    },
    begin,
  };
}

/** A traffic, and what it is in words. */
export type NamedTraffic = readonly [what: string, traffic: Traffic];

/** The traffic that a router of this kind can be told to route while two versions are there, with a name for each. */
export function expressible(kind: RouterShape["kind"], old: VersionId, next: VersionId): readonly NamedTraffic[] {
  const { weights, matches, mirror, affinity } = routerAbilities(kind);
  const all: NamedTraffic[] = [
    ["all to the old version", { weights: { [old]: 100 } }],
    ["all to the new version", { weights: { [next]: 100 } }],
  ];
  const halves = { [old]: 50, [next]: 50 };
  const split: NamedTraffic[] = [
    ["a quarter to the new version", { weights: { [old]: 75, [next]: 25 } }],
    ["halves", { weights: halves }],
  ];
  const fractions: NamedTraffic[] = [["a fraction of a per cent", { weights: { [old]: 99.5, [next]: 0.5 } }]];
  return [
    ...all,
    ...(weights ? split : []),
    // Parts of a Pod there are none.
    ...(weights && kind !== "replicas" ? fractions : []),
    ...(matches ? matching(kind, old, next) : []),
    ...(mirror && kind !== "service"
      ? ([
          ["copies of all requests", { weights: { [old]: 100 }, mirrorPercent: 100 }],
          ["copies of some requests", { weights: { [old]: 75, [next]: 25 }, mirrorPercent: 10 }],
        ] satisfies NamedTraffic[])
      : []),
    ...(affinity
      ? ([
          ["halves whose users stay", { weights: halves, affinity: {} }],
          [
            "halves whose users stay for an hour",
            { weights: halves, affinity: { cookieName: "seen", maxAgeSeconds: 3_600 } },
          ],
        ] satisfies NamedTraffic[])
      : []),
  ];
}

function matching(kind: RouterShape["kind"], old: VersionId, next: VersionId): readonly NamedTraffic[] {
  const some = { [old]: 90, [next]: 10 };
  const none = { [old]: 100 };
  return [
    ["a header with a value", { weights: none, matches: [{ header: "X-Canary", exact: "yes" }] }],
    ["a header that begins so", { weights: some, matches: [{ header: "X-Canary", prefix: "v2." }] }],
    ["a header like a pattern", { weights: none, matches: [{ header: "X-Canary", regex: "v[0-9]+" }] }],
    [
      "several values of a header",
      {
        weights: none,
        matches: [
          { header: "X-Canary", exact: "a" },
          { header: "x-canary", exact: "b" },
        ],
      },
    ],
    ["a cookie", { weights: some, matches: [{ cookie: "beta", exact: "always" }] }],
    [
      "a header and a cookie",
      {
        weights: none,
        matches: [
          { header: "X-Canary", exact: "yes" },
          { cookie: "beta", exact: "always" },
        ],
      },
    ],
    ...(kind === "ingressNginx"
      ? []
      : ([
          ["a cookie that begins so", { weights: none, matches: [{ cookie: "beta", prefix: "v2." }] }],
          ["a cookie like a pattern", { weights: some, matches: [{ cookie: "beta", regex: "[a-f]+" }] }],
          [
            "two headers",
            {
              weights: none,
              matches: [
                { header: "X-Canary", exact: "yes" },
                { header: "X-Team", exact: "ours" },
              ],
            },
          ],
        ] satisfies NamedTraffic[])),
  ];
}

/** What no router of this kind can do, with a name for each. */
export function inexpressible(kind: RouterShape["kind"], old: VersionId, next: VersionId): readonly NamedTraffic[] {
  const { weights, matches, mirror, affinity } = routerAbilities(kind);
  const all = { [old]: 100 };
  return [
    ...(weights ? [] : ([["a split by weight", { weights: { [old]: 75, [next]: 25 } }]] satisfies NamedTraffic[])),
    ...(matches
      ? []
      : ([
          ["a rule for a header", { weights: all, matches: [{ header: "X-Canary", exact: "yes" }] }],
        ] satisfies NamedTraffic[])),
    ...(mirror ? [] : ([["copies of requests", { weights: all, mirrorPercent: 10 }]] satisfies NamedTraffic[])),
    ...(affinity ? [] : ([["users who stay", { weights: all, affinity: {} }]] satisfies NamedTraffic[])),
  ];
}

/** The same API server, noting what is written. */
function recording(api: Api, sent: Map<string, unknown>): Api {
  return {
    ...api,
    send: (request, schema, signal) => {
      const { name } = metadataSchema.parse(request.body ?? {}).metadata;
      if (request.method === "PUT") sent.set(request.path, request.body);
      if (request.method === "POST") sent.set(`${request.path}/${name}`, request.body);
      return api.send(request, schema, signal);
    },
  };
}

const metadataSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string().default("") }).default({ name: "" }),
});
