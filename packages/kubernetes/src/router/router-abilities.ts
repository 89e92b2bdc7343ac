import { allTo, describeStep, trafficAfter, type Plan } from "@bascule/core";
import { trafficProblem, type RouterAbilities } from "./abilities.ts";
import { httpRouteAbilities } from "./http-route-router.ts";
import { ingressNginxAbilities } from "./ingress-nginx-router.ts";
import { istioAbilities } from "./istio-router.ts";
import { replicaAbilities } from "./replica-router.ts";
import type { RouterShape } from "./router-shape.ts";
import { serviceAbilities } from "./service-router.ts";
import { smiAbilities } from "./smi-router.ts";

const abilities: Readonly<Record<RouterShape["kind"], RouterAbilities>> = {
  service: serviceAbilities,
  replicas: replicaAbilities,
  httpRoute: httpRouteAbilities,
  ingressNginx: ingressNginxAbilities,
  istio: istioAbilities,
  smi: smiAbilities,
};

/** What a kind of router can do, known before there is any. */
export function routerAbilities(kind: RouterShape["kind"]): RouterAbilities {
  return abilities[kind];
}

/** What a kind of router cannot do of a plan that takes over from one version, and at which step; `undefined`: it can do all of it. */
export function planProblem(kind: RouterShape["kind"], plan: Plan): string | undefined {
  for (const [index, step] of plan.steps.entries()) {
    const traffic = trafficAfter(plan, allTo("stable"), "candidate", index);
    const problem = trafficProblem(routerAbilities(kind), traffic, "candidate");
    if (problem !== undefined) return `at "${describeStep(step)}", ${problem}`;
  }
  return undefined;
}
