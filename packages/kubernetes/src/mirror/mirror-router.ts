import type { Marker, Traffic, VersionId } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import type { Api } from "../api.ts";
import { fencedObjects } from "../fenced-objects.ts";
import { mirrorLabel } from "../labels.ts";
import { objectRouter, type ObjectRouter } from "../router/object-router.ts";
import { selectorOf, serviceTraffic } from "../router/service-router.ts";
import type { ServiceSwitchShape } from "../router/service-shape.ts";
import type { MirrorPair } from "./mirror-objects.ts";
import { mirrorSpecSchema } from "./mirror-spec.ts";
import { kubernetesMirrors } from "./mirrors.ts";

export interface MirrorRouterOptions {
  readonly api: Api;
  readonly release: string;
  readonly shape: ServiceSwitchShape;
  /** Whether any of these versions has a Pod that is ready. */
  readonly isServed: (versions: readonly VersionId[], signal: AbortSignal) => Promise<boolean>;
}

/**
 * Switches a Service between versions, and copies requests by a mirror that stands between the Service and the stable version.
 *
 * - On the way in, the mirror is there and ready before the Service is led to it.
 * - On the way out, the Service is led away first. The mirror then goes on passing requests on until no client comes to it any more,
 *   and the Services by which it reaches the versions stay until it has ended.
 * - Going back leads the Service straight to the stable version, which depends on nothing but the Service. What is left of the mirror
 *   is removed afterwards, or by the next run that comes to its end.
 */
export function mirrorRouter({ api, release, shape, isServed }: MirrorRouterOptions): ObjectRouter {
  const { namespace, ports, mirror: spec = mirrorSpecSchema.parse({}) } = shape;
  const containerPort = ports[0]?.targetPort ?? 0;
  const objects = fencedObjects(api, release, (marker, signal) => base.confirm(marker, signal));
  const mirrors = kubernetesMirrors(api, objects, { release, namespace, containerPort }, spec);

  const base: ObjectRouter = objectRouter(api, release, serviceTraffic(release, shape), isServed, {
    afterClaim: (marker, signal) => mirrors.fence(marker, signal),
    beforeShift: async (traffic, marker, signal) => {
      const pair = pairOf(traffic, marker);
      if (pair) await mirrors.start(pair, traffic.mirrorPercent ?? 0, marker, signal);
    },
    afterShift: (traffic, marker, signal) => leavingTheRest(() => mirrors.end(pairOf(traffic, marker), marker, signal)),
    afterRestore: (_weights, marker, signal) => leavingTheRest(() => mirrors.end(undefined, marker, signal)),
    beforeRelease: (marker, signal) =>
      leavingTheRest(async () => {
        const stable = await mirroredVersion(signal);
        await mirrors.end(stable === undefined ? undefined : { stable }, marker, signal);
        await mirrors.clear(marker, signal);
      }),
    afterRemove: async (signal) => {
      await mirrors.end(undefined, undefined, signal);
      await mirrors.clear(undefined, signal);
    },
  });

  /** The version whose requests are copied just now. */
  const mirroredVersion = async (signal: AbortSignal): Promise<VersionId | undefined> => {
    const live = await base.read(signal);
    return live && selectorOf(live.spec)[mirrorLabel];
  };

  return base;
}

function pairOf({ weights, mirrorPercent }: Traffic, { candidate }: Marker): MirrorPair | undefined {
  const [stable] = Object.keys(weights).filter((version) => (weights[version] ?? 0) > 0);
  return mirrorPercent === undefined || stable === undefined ? undefined : { stable, candidate };
}

/** A mirror that cannot be removed is no reason to fail: it has no traffic, and the next run that comes to its end removes it. */
async function leavingTheRest(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof RouterConflict) throw thrown;
  }
}
