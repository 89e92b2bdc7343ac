import {
  ApiException,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  type KubernetesObject,
} from "@kubernetes/client-node";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { manifestSchema, type Manifest } from "./manifest.ts";
import { readinessOf, troubleOf } from "./readiness.ts";

/** Thrown when an object was written but does not do its work. */
export class NotReady extends Error {
  override readonly name = "NotReady";
  readonly live: Manifest;

  constructor(message: string, live: Manifest) {
    super(message);
    this.live = live;
  }
}

const fieldManager = "pulumi-kubernetes";
const deleteLimitMs = 300_000;
const pollMs = 200;

/** Reads and writes the objects of the cluster that KUBECONFIG names. */
export function connect() {
  const configuration = new KubeConfig();
  configuration.loadFromDefault();
  const api = KubernetesObjectApi.makeApiClient(configuration);

  const read = async (manifest: Manifest): Promise<Manifest | undefined> => {
    try {
      return toPlain(await api.read(headerOf(manifest)));
    } catch (thrown) {
      if (thrown instanceof ApiException && thrown.code === 404) return undefined;
      throw thrown;
    }
  };

  return {
    read,

    async apply(manifest: Manifest): Promise<Manifest> {
      return toPlain(
        await api.patch(toObject(manifest), undefined, undefined, fieldManager, true, PatchStrategy.ServerSideApply),
      );
    },

    /** @throws NotReady with what is wrong, in words */
    async untilReady(manifest: Manifest, limitMs: number): Promise<Manifest> {
      const deadlineMs = performance.now() + limitMs;
      for (;;) {
        const live = await read(manifest);
        if (!live) throw new Error(`${describe(manifest)} was deleted while it was awaited.`);
        const readiness = readinessOf(live, await endpointsOf(live));
        if (readiness.state === "ready") return live;
        if (readiness.state === "failed" || performance.now() > deadlineMs) {
          const troubles = await troublesOf(live);
          throw new NotReady(
            [
              `${describe(manifest)} is not ready after its limit of ${Math.round(limitMs / 1000)} s: ${readiness.why}`,
              ...troubles,
            ].join("; "),
            live,
          );
        }
        await sleep(pollMs);
      }
    },

    async remove(manifest: Manifest): Promise<void> {
      const deadlineMs = performance.now() + deleteLimitMs;
      try {
        await api.delete(toObject(manifest), undefined, undefined, undefined, undefined, "Foreground");
      } catch (thrown) {
        if (thrown instanceof ApiException && thrown.code === 404) return;
        throw thrown;
      }
      while (await read(manifest)) {
        if (performance.now() > deadlineMs)
          throw new Error(
            `${describe(manifest)} is still there ${deleteLimitMs / 1000} s after its deletion; look at its finalizers.`,
          );
        await sleep(pollMs);
      }
    },
  };

  async function endpointsOf(live: Manifest): Promise<number> {
    if (live.kind !== "Service") return 0;
    const selector = `kubernetes.io/service-name=${live.metadata.name}`;
    const slices = await api.list(
      "discovery.k8s.io/v1",
      "EndpointSlice",
      live.metadata.namespace,
      undefined,
      undefined,
      undefined,
      undefined,
      selector,
    );
    return slices.items
      .flatMap((slice) => sliceSchema.parse(asJson(slice)).endpoints)
      .filter(({ conditions }) => conditions.ready).length;
  }

  async function troublesOf(live: Manifest): Promise<readonly string[]> {
    const labels = selectorSchema.safeParse(live);
    if (!labels.success) return [];
    const selector = Object.entries(labels.data.spec.selector.matchLabels)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
    const pods = await api.list(
      "v1",
      "Pod",
      live.metadata.namespace,
      undefined,
      undefined,
      undefined,
      undefined,
      selector,
    );
    return [...new Set(pods.items.map((pod) => troubleOf(asJson(pod))).filter((trouble) => trouble !== undefined))];
  }
}

const sliceSchema = z.looseObject({
  endpoints: z
    .array(z.looseObject({ conditions: z.looseObject({ ready: z.boolean().default(true) }).default({ ready: true }) }))
    .nullish()
    .transform((found) => found ?? []),
});
const selectorSchema = z.looseObject({
  spec: z.looseObject({ selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()) }) }),
});

function describe({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace ? `${metadata.namespace}/` : ""}${metadata.name}`;
}

function headerOf({ apiVersion, kind, metadata }: Manifest) {
  return {
    apiVersion,
    kind,
    metadata: { name: metadata.name ?? "", ...(metadata.namespace ? { namespace: metadata.namespace } : {}) },
  };
}

function toObject(manifest: Manifest): KubernetesObject {
  const { name = "", namespace } = manifest.metadata;
  return { ...manifest, metadata: { ...manifest.metadata, name, ...(namespace ? { namespace } : {}) } };
}

/** The client gives dates as objects; the state wants them as the API writes them. */
function asJson(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object));
}

function toPlain(object: unknown): Manifest {
  return manifestSchema.parse(asJson(object));
}
